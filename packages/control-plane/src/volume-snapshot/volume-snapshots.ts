import {
  DomainError,
  type ListVolumeSnapshotsQuery,
  type Page,
  type VolumeSnapshot,
  type VolumeSnapshotId,
} from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { pageBounds, pageOfRows } from '../page-cursor.js';
import { canSeeProject, listedProject, notFound } from '../token/project-scope.js';
import { findSnapshot, findSnapshots } from './volume-snapshot.store.js';

export async function listVolumeSnapshots(
  cp: ControlPlane,
  actor: Actor,
  query: ListVolumeSnapshotsQuery,
): Promise<Page<VolumeSnapshot>> {
  const { volumeId, vmId, setId, name } = query;
  const filter = { projectId: listedProject(actor, query.projectId), volumeId, vmId, setId, name };
  return pageOfRows(await findSnapshots(cp.database, filter, pageBounds(query)), query);
}

/** Throws not_found. */
export async function getVolumeSnapshot(
  cp: ControlPlane,
  actor: Actor,
  snapshotId: VolumeSnapshotId,
): Promise<VolumeSnapshot> {
  return visibleSnapshot(actor, await findSnapshot(cp.database, snapshotId));
}

export function visibleSnapshot(actor: Actor, snapshot: VolumeSnapshot | null): VolumeSnapshot {
  if (snapshot === null || !canSeeProject(actor, snapshot.projectId)) throw notFound('the snapshot');
  return snapshot;
}

/** Throws conflict_state. */
export function requireAvailable({ name, state, operationId }: VolumeSnapshot): void {
  if (state === 'available') return;
  throw new DomainError('conflict_state', `snapshot ${name} is ${state}: wait for its operation`, {
    details: { state, operationId },
  });
}
