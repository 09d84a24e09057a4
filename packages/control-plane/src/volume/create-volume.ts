import {
  type AcceptedOperation,
  type CreateVolumeRequest,
  DomainError,
  type Image,
  MIB,
  newId,
  type Project,
  type VolumeId,
  type VolumePlan,
} from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import type { Tx } from '../database/database.js';
import { holdImages } from '../image/image.store.js';
import { visible } from '../image/images.js';
import { projectForNew } from '../project/default-project.js';
import { findPool } from '../storage-pool/storage-pool.store.js';
import { notFound } from '../token/project-scope.js';
import { refusalOf } from '../vm/assign-devices.js';
import type { NeededImage } from '../vm/media-of-drives.js';
import { findSnapshot } from '../volume-snapshot/volume-snapshot.store.js';
import { type AskedOfVolumes, askOfVolumes, planOfVolumes, type VolumeRequestOptions } from './ask-of-volumes.js';
import { type CreateVolumeInput, createVolumeOperation } from './create-volume.operation.js';
import { findVolume, insertVolumes } from './volume.store.js';
import { requireVolumeCount, takeVolumeRoom } from './volume-room.js';
import { requireState } from './volumes.js';

/** Throws quota_exceeded, no_capacity, already_exists, not_found, conflict_state, invalid_request. */
export function createVolume(
  cp: ControlPlane,
  actor: Actor,
  request: CreateVolumeRequest,
  options: VolumeRequestOptions = {},
): Promise<AcceptedOperation> {
  const id = newId<VolumeId>();
  return askOfVolumes(cp, actor, { kind: 'volume', id }, options, (tx, operationId) =>
    decide(tx, actor, request, id, operationId),
  );
}

/** What `createVolume` would do. Changes nothing. */
export const planVolume = (cp: ControlPlane, actor: Actor, request: CreateVolumeRequest): Promise<VolumePlan> =>
  planOfVolumes(cp, (tx, operationId) => decide(tx, actor, request, newId<VolumeId>(), operationId));

interface Content {
  readonly poolId: string;
  readonly sizeBytes: number;
  readonly image: NeededImage | null;
  readonly snapshot: CreateVolumeInput['snapshot'];
}

async function decide(
  tx: Tx,
  actor: Actor,
  request: CreateVolumeRequest,
  id: VolumeId,
  operationId: string,
): Promise<AskedOfVolumes<CreateVolumeInput>> {
  const project = await projectForNew(tx, actor, request.projectId);
  // First the project: what a clone comes from is looked at under the lock under which it would end.
  await requireVolumeCount(tx, project.id, 1);
  const { poolId, sizeBytes, image, snapshot } = await contentOf(tx, actor, project, request);
  await requirePool(tx, poolId, snapshot?.isLinked === true);
  await takeVolumeRoom(tx, project.id, new Map([[poolId, sizeBytes]]));
  const { name, from: source = null } = request;
  const parentVolumeId = snapshot?.isLinked === true ? snapshot.volumeId : null;
  const volume = { id, projectId: project.id, name, poolId, sizeBytes, source, parentVolumeId, operationId, vm: null };
  const taken = await insertVolumes(tx, [volume]);
  if (taken.length > 0) throw nameTaken(project, name);
  return {
    definition: createVolumeOperation,
    input: { volumeId: id, poolId, projectId: project.id, name, generation: 1, sizeBytes, image, snapshot },
    projectId: project.id,
    volumes: [{ id, name, sizeBytes }],
    diskBytesTaken: sizeBytes,
  };
}

const nameTaken = ({ name: project }: Project, name: string): DomainError =>
  new DomainError(
    'already_exists',
    `project ${project} has a volume called ${name} already, or in its trash: choose another name, or purge that`,
    { details: { fields: [{ field: 'body.name', message: 'is taken' }] } },
  );

/** Throws not_found, conflict_state. */
async function requirePool(tx: Tx, poolId: string, isLinked: boolean): Promise<void> {
  const pool = await findPool(tx, poolId);
  if (pool === null) throw notFound('the storage pool', 'body.poolId');
  if (!isLinked || pool.capabilities.hasLinkedClones) return;
  throw new DomainError('conflict_state', `storage pool ${pool.name} makes no linked clones; ask for the mode full`, {
    details: { fields: [{ field: 'body.from.mode', message: 'is not possible on this pool; use full' }] },
  });
}

async function contentOf(tx: Tx, actor: Actor, project: Project, request: CreateVolumeRequest): Promise<Content> {
  const { from, poolId, sizeBytes } = request;
  if (from?.kind === 'snapshot') return contentOfSnapshot(tx, project, from, poolId);
  if (poolId === undefined) throw new TypeError('the shape of the request asks for a pool');
  if (from === undefined) {
    if (sizeBytes === undefined) throw new TypeError('the shape of the request asks for a size');
    return { poolId, sizeBytes, image: null, snapshot: null };
  }
  const images = await holdImages(tx, [from.imageId]);
  const image = visible(actor, images.get(from.imageId) ?? null, 'body.from.imageId');
  if (!image.isPublic && image.projectId !== project.id) throw notFound('the image', 'body.from.imageId');
  const least = wholeMib(image);
  if (sizeBytes !== undefined && sizeBytes < least) {
    throw refusalOf('body.sizeBytes', `is below the size of the image, ${least} bytes`);
  }
  return { poolId, sizeBytes: sizeBytes ?? least, image: neededOf(image), snapshot: null };
}

const wholeMib = ({ virtualSizeBytes }: Image): number => Math.ceil((virtualSizeBytes ?? 0) / MIB) * MIB;

function neededOf({ id, state, sha256, sizeBytes }: Image): NeededImage {
  if (state === 'available' && sha256 !== null) return { imageId: id, sha256, sizeBytes: sizeBytes ?? 0 };
  throw new DomainError('conflict_state', `the image is ${state}; it can be used once it is available`, {
    details: { fields: [{ field: 'body.from.imageId', message: `is ${state}` }] },
  });
}

async function contentOfSnapshot(
  tx: Tx,
  project: Project,
  { snapshotId, mode }: Extract<NonNullable<CreateVolumeRequest['from']>, { kind: 'snapshot' }>,
  askedPoolId: string | undefined,
): Promise<Content> {
  const field = 'body.from.snapshotId';
  const snapshot = await findSnapshot(tx, snapshotId);
  // Of the volume's project, whoever asks: the content of one project's disks is not another's.
  if (snapshot === null || snapshot.projectId !== project.id) throw notFound('the snapshot', field);
  if (snapshot.state !== 'available') {
    throw new DomainError(
      'conflict_state',
      `the snapshot is ${snapshot.state}; it can be cloned once it is available`,
      {
        details: { fields: [{ field, message: `is ${snapshot.state}` }] },
      },
    );
  }
  const volume = await findVolume(tx, snapshot.volumeId);
  if (volume === null) throw notFound('the volume of the snapshot', field);
  if (volume.state === 'trashed' || volume.state === 'retained') requireState(volume, 'available');
  if (askedPoolId !== undefined && askedPoolId !== volume.poolId) {
    throw refusalOf('body.poolId', `is not that of the snapshot, ${volume.poolId}; a clone lies where it does`);
  }
  return {
    poolId: volume.poolId,
    sizeBytes: snapshot.sizeBytes,
    image: null,
    snapshot: { volumeId: volume.id, snapshotId, isLinked: mode === 'linked' },
  };
}
