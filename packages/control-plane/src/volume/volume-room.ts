import { DomainError, type Project, VOLUMES_PER_PROJECT_MAX } from '@kvorum/schema';
import type { Tx } from '../database/database.js';
import { overQuota } from '../project/over-quota.js';
import { findProject, lockProject, returnQuota, takeQuota } from '../project/project.store.js';
import { returnPoolRoom } from '../storage-pool/storage-pool.store.js';
import { takeRoomOfPools } from '../storage-pool/storage-pools.js';
import { countVolumes } from './volume.store.js';

const NO_USAGE = { vmCount: 0, vcpuCount: 0, memoryBytes: 0, diskBytes: 0 };

/**
 * Takes quota of the project and room of the pools for what is new on them. Locks project and pools, in this order, as everybody does
 * who changes what a pool has promised. Throws quota_exceeded, no_capacity.
 */
export async function takeVolumeRoom(
  tx: Tx,
  projectId: string,
  bytesByPool: ReadonlyMap<string, number>,
  field = 'body.poolId',
): Promise<void> {
  await takeVolumeQuota(
    tx,
    projectId,
    [...bytesByPool.values()].reduce((sum, bytes) => sum + bytes, 0),
  );
  await takeRoomOfPools(tx, bytesByPool, field);
}

/** Throws quota_exceeded. */
export async function takeVolumeQuota(tx: Tx, projectId: string, diskBytes: number): Promise<void> {
  const usage = { ...NO_USAGE, diskBytes };
  if (!(await takeQuota(tx, projectId, usage))) throw overQuota(await projectOf(tx, projectId), usage);
}

/** Gives back what `takeVolumeRoom` took. */
export async function returnVolumeRoom(tx: Tx, projectId: string, poolId: string, bytes: number): Promise<void> {
  await returnQuota(tx, projectId, { ...NO_USAGE, diskBytes: bytes });
  await returnPoolRoom(tx, poolId, bytes);
}

/** Throws quota_exceeded when the project may not have so many volumes more. Locks the project. */
export async function requireVolumeCount(tx: Tx, projectId: string, newCount: number): Promise<void> {
  await lockProject(tx, projectId);
  const volumeCount = await countVolumes(tx, projectId);
  if (volumeCount + newCount <= VOLUMES_PER_PROJECT_MAX) return;
  throw new DomainError(
    'quota_exceeded',
    `the project has ${volumeCount} volumes, those in the trash included, and may have ${VOLUMES_PER_PROJECT_MAX}; purge some`,
    { details: { volumeCount, volumeCountMax: VOLUMES_PER_PROJECT_MAX } },
  );
}

async function projectOf(tx: Tx, projectId: string): Promise<Project> {
  const project = await findProject(tx, projectId);
  if (project === null) throw new TypeError(`project ${projectId} of a volume has a row`);
  return project;
}
