import type { StoragePool } from '@kvorum/client';
import { formatByteSize } from '../../byte-size.js';
import type { Column, Field } from '../../print-table.js';

const CAPABILITIES: readonly [keyof StoragePool['capabilities'], string][] = [
  ['isShared', 'shared'],
  ['hasSnapshots', 'snapshots'],
  ['hasLinkedClones', 'linked-clones'],
  ['isThin', 'thin'],
  ['growsOnline', 'grows-online'],
  ['hasReflink', 'reflink'],
];

const canDo = ({ capabilities }: StoragePool): string =>
  CAPABILITIES.flatMap(([name, word]) => (capabilities[name] ? [word] : [])).join(', ') || '-';

const fillOf = ({ isAboveHighWater, hosts }: StoragePool): string => {
  if (isAboveHighWater) return 'full';
  return hosts.some(({ fault }) => fault !== null) ? 'faulty' : 'ok';
};

export const STORAGE_POOL_COLUMNS: readonly Column<StoragePool>[] = [
  { title: 'NAME', of: (pool) => pool.name },
  { title: 'DRIVER', of: (pool) => pool.driver },
  { title: 'STATE', of: fillOf },
  { title: 'SIZE', of: (pool) => formatByteSize(pool.totalBytes) },
  { title: 'FREE', of: (pool) => formatByteSize(pool.freeBytes) },
  { title: 'PROMISED', of: (pool) => formatByteSize(pool.reservedBytes) },
  { title: 'CAN PROMISE', of: (pool) => formatByteSize(pool.reservableBytes) },
  { title: 'CAN', of: canDo },
  { title: 'HOSTS', of: (pool) => pool.hosts.map(({ name }) => name).join(', ') || '-' },
  { title: 'ID', of: (pool) => pool.id },
];

export const describeStoragePool = (pool: StoragePool): readonly Field[] => [
  ['name', pool.name],
  ['id', pool.id],
  ['driver', pool.driver],
  ['description', pool.description],
  ['can', canDo(pool)],
  ['size', formatByteSize(pool.totalBytes)],
  ['free', formatByteSize(pool.freeBytes)],
  ['above high water', pool.isAboveHighWater ? 'yes: nothing new is made' : 'no'],
  ['taken by volumes', formatByteSize(pool.allocatedBytes)],
  ['of this in the trash', formatByteSize(pool.trashedBytes)],
  ['overcommit ratio', pool.overcommitRatio],
  ['promised', formatByteSize(pool.reservedBytes)],
  ['can promise', formatByteSize(pool.reservableBytes)],
  ['volumes', pool.volumeCount],
  ['trash kept', `${pool.trashKeepDays} days`],
  ...pool.hosts.map(({ name, isConnected, fault }): Field => {
    return [`host ${name}`, fault ?? (isConnected ? 'ok' : 'unreachable')];
  }),
];
