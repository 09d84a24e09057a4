import { DomainError, type ListVolumesQuery, type Page, type Volume, type VolumeId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import type { Tx } from '../database/database.js';
import { recordEvents } from '../event/event.store.js';
import { pageBounds, pageOfRows } from '../page-cursor.js';
import { canSeeProject, listedProject, notFound } from '../token/project-scope.js';
import { refusalOf } from '../vm/assign-devices.js';
import { findVolume, findVolumes } from './volume.store.js';

export async function listVolumes(cp: ControlPlane, actor: Actor, query: ListVolumesQuery): Promise<Page<Volume>> {
  const { poolId, vmId, name, state } = query;
  const filter = { projectId: listedProject(actor, query.projectId), poolId, vmId, name, state };
  return pageOfRows(await findVolumes(cp.database, filter, pageBounds(query)), query);
}

/** Throws not_found. */
export async function getVolume(cp: ControlPlane, actor: Actor, volumeId: VolumeId): Promise<Volume> {
  return visibleVolume(actor, await findVolume(cp.database, volumeId));
}

/** The volume, if the actor may know of it; otherwise there is none. */
export function visibleVolume(actor: Actor, volume: Volume | null, field?: string): Volume {
  if (volume === null || !canSeeProject(actor, volume.projectId)) throw notFound('the volume', field);
  return volume;
}

const WHAT_TO_DO: Readonly<Record<Volume['state'], string>> = {
  creating: 'wait for its operation',
  available: 'delete it first',
  updating: 'wait for its operation',
  trashed: 'restore it first',
  retained: 'it was purged, and is kept for its linked clones alone',
};

/** Throws conflict_state that says what is in the way, and what to do. */
export function requireState(volume: Volume, state: Volume['state']): void {
  if (volume.state === state) return;
  throw new DomainError(
    'conflict_state',
    `volume ${volume.name} is ${volume.state}, not ${state}: ${WHAT_TO_DO[volume.state]}`,
    { details: { state: volume.state, operationId: volume.operationId } },
  );
}

/** Throws in_use that names the VM. */
export function requireUnused({ name, vmId }: Volume): void {
  if (vmId === null) return;
  throw new DomainError('in_use', `volume ${name} is in use by VM ${vmId}; detach it first`, { details: { vmId } });
}

/** Throws invalid_request that names the field. */
export function requireLarger({ sizeBytes }: Volume, wantedBytes: number): void {
  if (wantedBytes > sizeBytes) return;
  if (wantedBytes < sizeBytes) {
    throw refusalOf(
      'body.sizeBytes',
      `is below the ${sizeBytes} bytes that the volume has: a volume cannot be made smaller; make another`,
    );
  }
  throw new DomainError('conflict_state', `the volume has ${sizeBytes} bytes already`, {
    details: { fields: [{ field: 'body.sizeBytes', message: 'is what it has already' }] },
  });
}

export const recordVolumeStates = (
  tx: Tx,
  volumes: readonly { readonly volumeId: string; readonly projectId: string; readonly name: string }[],
  operationId: string,
  to: Volume['state'] | 'deleted',
): Promise<void> =>
  recordEvents(
    tx,
    volumes.map(({ volumeId, projectId, name }) => ({
      type: 'volume.state',
      projectId,
      resourceKind: 'volume',
      resourceId: volumeId,
      data: { to, name, operationId },
    })),
  );
