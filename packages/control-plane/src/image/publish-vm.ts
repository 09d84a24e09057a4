import {
  type AcceptedOperation,
  DomainError,
  type ImageId,
  newId,
  type OperationId,
  type PublishVmRequest,
  refusalOf,
  type VmId,
  type VmPublishPlan,
  type Volume,
} from '@kvorum/schema';
import type { Actor, ControlPlane, Idempotency } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { claimIdempotencyKey } from '../operations/idempotency.store.js';
import { recordOperation } from '../operations/operation.store.js';
import { notFound, requireProject } from '../token/project-scope.js';
import { ACCEPTED_STATUS, acceptedOperation, ringBell } from '../vm/accepted-operation.js';
import { findRootVolume, type RootVolume } from '../vm/pooled-disk.store.js';
import { findVmForIntent, type VmForIntent } from '../vm/vm-intent.store.js';
import { holdVm, holdVolumes } from '../volume/hold-volumes.js';
import { findVolumesById } from '../volume/volume.store.js';
import { requireFewSnapshots } from '../volume-snapshot/create-volume-snapshots.js';
import { addImage } from './create-image.js';
import { type PublishVmInput, publishVmOperation } from './publish-vm.operation.js';

export interface PublishVmOptions {
  readonly idempotency?: Idempotency | undefined;
  /** The generation the caller has seen; anything else is precondition_failed. */
  readonly ifMatch?: number | undefined;
}

/** What no tool of ours takes out of a guest's disk. */
const WARNINGS: readonly string[] = [
  'the machine id and the SSH host keys of the guest are in the image: clear them in the guest before (truncate /etc/machine-id, remove /etc/ssh/ssh_host_*)',
  'passwords, keys and tokens on the disk are in the image, also in files that were deleted in the guest and not overwritten',
  'cloud-init takes a VM of the image for a new one by its instance id; what it has stored of the former one stays: cloud-init clean --logs',
];

const WARNING_OF_RUNNING =
  'the VM runs: the image has its disk as at one instant; only where its guest agent freezes the file systems meanwhile are they clean';

/** Makes an image of the root disk of a VM: one that is stopped, or that has it on a storage pool. Throws conflict_state, precondition_failed, already_exists, forbidden, not_found. */
export async function publishVm(
  cp: ControlPlane,
  actor: Actor,
  vmId: VmId,
  request: PublishVmRequest,
  options: PublishVmOptions = {},
): Promise<AcceptedOperation> {
  const imageId = newId<ImageId>();
  const operationId = newId<OperationId>();
  const recorded = await withTransaction(cp.database, async (tx) => {
    const answer = { status: ACCEPTED_STATUS, resourceId: imageId, operationId };
    const before = await claimIdempotencyKey(tx, actor.tokenId, options.idempotency, answer);
    if (before !== null) return { operationId: before.operationId, imageId: before.resourceId, isNew: false };
    const { vm, root, volume } = await readPublishable(tx, actor, vmId, options);
    const source = await holdSource(tx, vmId, volume, operationId);
    const naming = { ...request, isPublic: false, labels: {}, projectId: vm.projectId };
    const vmOfImage = { vmId, vmName: vm.name };
    await addImage(tx, cp, actor, imageId, naming, { state: 'downloading', url: null, sha256: null, vm: vmOfImage });
    await recordOperation(tx, {
      definition: publishVmOperation,
      input: { ...source, imageId, epoch: vm.epoch, rootVolumeId: root.volumeId, diskBytes: root.sizeBytes },
      projectId: vm.projectId,
      resourceKind: 'image',
      resourceId: imageId,
      createdBy: actor.tokenName,
      now: cp.clock(),
      operationId,
    });
    return { operationId, imageId, isNew: true };
  });
  if (recorded.isNew) await ringBell(cp, operationId);
  return acceptedOperation(cp.database, recorded.operationId, recorded.imageId);
}

/** What `publishVm` would do, with the same refusals but for a name that is taken. */
export async function planVmPublish(
  cp: ControlPlane,
  actor: Actor,
  vmId: VmId,
  request: PublishVmRequest,
  options: Pick<PublishVmOptions, 'ifMatch'> = {},
): Promise<VmPublishPlan> {
  const { vm, root } = await withTransaction(cp.database, (tx) => readPublishable(tx, actor, vmId, options));
  return {
    vmName: vm.name,
    imageName: request.name,
    diskBytes: root.sizeBytes,
    steps: root.poolId === null ? ['publish'] : publishVmOperation.steps.map(({ name }) => name),
    warnings: vm.state === 'running' ? [...WARNINGS, WARNING_OF_RUNNING] : [...WARNINGS],
  };
}

interface Publishable {
  readonly vm: VmForIntent;
  readonly root: RootVolume;
  /** The root disk, where it lies on a storage pool. */
  readonly volume: Volume | null;
}

async function readPublishable(
  tx: Tx,
  actor: Actor,
  vmId: VmId,
  { ifMatch }: Pick<PublishVmOptions, 'ifMatch'>,
): Promise<Publishable> {
  const vm = await findVmForIntent(tx, vmId);
  if (vm === null || vm.isDeleted) throw notFound('the VM');
  requireProject(actor, vm.projectId, 'the VM');
  if (ifMatch !== undefined && ifMatch !== vm.generation) {
    throw new DomainError('precondition_failed', `the VM is at generation ${vm.generation}`, {
      details: { generation: vm.generation },
    });
  }
  const details = { state: vm.state, operationId: vm.operationId };
  const isUp = vm.state === 'running' || vm.state === 'paused';
  if (vm.state !== 'stopped' && !isUp) {
    throw new DomainError('conflict_state', refusalOf(vm.state, 'update'), { details });
  }
  const root = await findRootVolume(tx, vmId);
  if (root === null) throw new TypeError(`VM ${vmId} that is ${vm.state} has a root disk`);
  if (root.poolId !== null) {
    const volume = (await findVolumesById(tx, [root.volumeId])).get(root.volumeId);
    if (volume === undefined) throw new TypeError(`volume ${root.volumeId} is on a storage pool`);
    requireFewSnapshots([volume]);
    return { vm, root, volume };
  }
  if (!isUp) return { vm, root, volume: null };
  throw new DomainError(
    'conflict_state',
    `the VM is ${vm.state}, and its root disk lies on no storage pool: stop it first`,
    { details },
  );
}

/** One on a pool is held with its VM until there is a clone of it. */
async function holdSource(
  tx: Tx,
  vmId: VmId,
  volume: Volume | null,
  operationId: OperationId,
): Promise<Pick<PublishVmInput, 'held' | 'pooled'>> {
  if (volume === null) return { held: await holdVm(tx, vmId, operationId), pooled: null };
  const { vm: held, volumes } = await holdVolumes(tx, [volume], operationId);
  const [pooled] = volumes;
  if (held === null || pooled === undefined) throw new TypeError(`VM ${vmId} has its root volume`);
  return { held, pooled };
}
