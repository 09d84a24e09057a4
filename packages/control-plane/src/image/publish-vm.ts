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
} from '@kvorum/schema';
import type { Actor, ControlPlane, Idempotency } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { claimIdempotencyKey } from '../operations/idempotency.store.js';
import { recordOperation } from '../operations/operation.store.js';
import { notFound, requireProject } from '../token/project-scope.js';
import { ACCEPTED_STATUS, acceptedOperation, ringBell } from '../vm/accepted-operation.js';
import { findRootVolume, type RootVolume } from '../vm/pooled-disk.store.js';
import { findVmForIntent, type VmForIntent } from '../vm/vm-intent.store.js';
import { holdVm } from '../volume/hold-volumes.js';
import { addImage } from './create-image.js';
import { publishVmOperation } from './publish-vm.operation.js';

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

/** Makes an image of the root disk of a stopped VM. Throws conflict_state, precondition_failed, already_exists, forbidden, not_found. */
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
    const { vm, root } = await readPublishable(tx, actor, vmId, options);
    const held = await holdVm(tx, vmId, operationId);
    const naming = { ...request, isPublic: false, labels: {}, projectId: vm.projectId };
    const source = { vmId, vmName: vm.name };
    await addImage(tx, cp, actor, imageId, naming, { state: 'downloading', url: null, sha256: null, vm: source });
    await recordOperation(tx, {
      definition: publishVmOperation,
      input: { imageId, held, epoch: vm.epoch, rootVolumeId: root.volumeId, diskBytes: root.sizeBytes },
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
    steps: publishVmOperation.steps.map(({ name }) => name),
    warnings: [...WARNINGS],
  };
}

async function readPublishable(
  tx: Tx,
  actor: Actor,
  vmId: VmId,
  { ifMatch }: Pick<PublishVmOptions, 'ifMatch'>,
): Promise<{ vm: VmForIntent; root: RootVolume }> {
  const vm = await findVmForIntent(tx, vmId);
  if (vm === null || vm.isDeleted) throw notFound('the VM');
  requireProject(actor, vm.projectId, 'the VM');
  if (ifMatch !== undefined && ifMatch !== vm.generation) {
    throw new DomainError('precondition_failed', `the VM is at generation ${vm.generation}`, {
      details: { generation: vm.generation },
    });
  }
  const details = { state: vm.state, operationId: vm.operationId };
  if (vm.state !== 'stopped') {
    const isUp = vm.state === 'running' || vm.state === 'paused';
    const why = isUp ? `the VM is ${vm.state}: stop it first` : refusalOf(vm.state, 'update');
    throw new DomainError('conflict_state', why, { details });
  }
  const root = await findRootVolume(tx, vmId);
  if (root === null) throw new TypeError(`VM ${vmId} that is stopped has a root disk`);
  if (root.poolId === null) return { vm, root };
  throw new DomainError(
    'conflict_state',
    'the root disk of the VM lies on a storage pool: only local ones are published',
    {
      details,
    },
  );
}
