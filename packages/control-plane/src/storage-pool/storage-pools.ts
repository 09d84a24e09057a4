import {
  DomainError,
  GIB,
  type ListStoragePoolsQuery,
  type Page,
  type StoragePool,
  type StoragePoolId,
} from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import type { Tx } from '../database/database.js';
import { pageBounds, pageOfRows } from '../page-cursor.js';
import { notFound } from '../token/project-scope.js';
import { findPool, findPools, takePoolRoom } from './storage-pool.store.js';

export async function listStoragePools(
  cp: ControlPlane,
  actor: Actor,
  query: ListStoragePoolsQuery,
): Promise<Page<StoragePool>> {
  const { name, hostId } = query;
  const found = await findPools(cp.database, { name, hostId }, pageBounds(query));
  return pageOfRows(
    found.map((pool) => shownTo(actor, pool)),
    query,
  );
}

/** Throws not_found. */
export async function getStoragePool(cp: ControlPlane, actor: Actor, poolId: StoragePoolId): Promise<StoragePool> {
  const pool = await findPool(cp.database, poolId);
  if (pool === null) throw notFound('the storage pool');
  return shownTo(actor, pool);
}

/** People of one project choose among pools; which hosts the site has is not for them. */
const shownTo = (actor: Actor, pool: StoragePool): StoragePool =>
  actor.projectId === null ? pool : { ...pool, hosts: [] };

/** Takes room of pools in the order of their ids, or throws no_capacity with the figures and what can be done. */
export async function takeRoomOfPools(tx: Tx, bytesByPool: ReadonlyMap<string, number>, field: string): Promise<void> {
  for (const [poolId, bytes] of [...bytesByPool].sort(([one], [other]) => one.localeCompare(other))) {
    if (await takePoolRoom(tx, poolId, bytes)) continue;
    const pool = await findPool(tx, poolId);
    if (pool === null) throw notFound('the storage pool', field);
    throw poolFull(pool, bytes);
  }
}

const inGib = (bytes: number | null): string => `${((bytes ?? 0) / GIB).toFixed(2)} GiB`;

function poolFull(pool: StoragePool, neededBytes: number): DomainError {
  const { id: poolId, name, totalBytes, freeBytes, trashedBytes, reservedBytes, overcommitRatio } = pool;
  const details = { poolId, totalBytes, freeBytes, trashedBytes, reservedBytes, overcommitRatio, neededBytes };
  return new DomainError('no_capacity', `storage pool ${name} ${whyFull(pool, neededBytes)}`, { details });
}

function whyFull(pool: StoragePool, neededBytes: number): string {
  const { totalBytes, freeBytes, trashedBytes, reservedBytes, overcommitRatio, isAboveHighWater } = pool;
  if (totalBytes === null) return 'is open on no host: see `kvorum storage-pool get` for why, and mount it';
  if (isAboveHighWater) {
    return `is filled above its high-water mark: ${inGib(freeBytes)} of ${inGib(totalBytes)} are free, so nothing new is made; purge its trash (${inGib(trashedBytes)}), delete snapshots, or enlarge its file system`;
  }
  return `may promise ${inGib(totalBytes * overcommitRatio)} (${overcommitRatio} times what it holds), has promised ${inGib(reservedBytes)}, and ${inGib(neededBytes)} more are needed; purge volumes in the trash, delete snapshots, choose another pool, or raise its overcommitRatio`;
}
