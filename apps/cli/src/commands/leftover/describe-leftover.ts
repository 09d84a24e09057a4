import type { Leftover } from '@kvorum/client';
import { formatByteSize } from '../../byte-size.js';
import type { Column } from '../../print-table.js';

export const LEFTOVER_COLUMNS: readonly Column<Leftover>[] = [
  { title: 'HOST', of: ({ host }) => host.name },
  { title: 'POOL', of: ({ pool }) => pool?.name ?? null },
  { title: 'KIND', of: ({ kind }) => kind },
  { title: 'OWNER', of: ({ ownerId }) => ownerId },
  { title: 'SIZE', of: ({ sizeBytes }) => formatByteSize(sizeBytes) },
  { title: 'QUARANTINED', of: ({ isQuarantined }) => isQuarantined },
  { title: 'SINCE', of: ({ firstSeenAt }) => firstSeenAt },
  { title: 'ID', of: ({ id }) => id },
  { title: 'WHAT IT IS', of: ({ reason }) => reason },
];
