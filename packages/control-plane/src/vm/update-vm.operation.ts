import { DomainError } from '@kvorum/schema';
import { z } from 'zod';
import { irreversible, nothing } from '../operations/define-operation.js';
import { releasePorts } from './card-port.store.js';
import { PooledChange } from './change-pooled-disks.js';
import { ensureImages } from './ensure-images.js';
import { growPooledDisks, makePooledDisks, unmakePooledDisks } from './make-pooled-disks.js';
import { NeededImage } from './media-of-drives.js';
import { keepAddresses } from './nic-address.store.js';
import { detachVolumes } from './pooled-disk.store.js';
import { settleMadeVolumes, undoGrowth, undoPooledDisks } from './settle-pooled-disks.js';
import { settleVm } from './settle-vm.js';
import {
  changeHeld,
  writeAvailability,
  writeGroup,
  writeName,
  writeNextShape,
  writeShape,
  writeVolumes,
} from './update-vm.store.js';
import { keepUserData } from './user-data.store.js';
import {
  ANY_REPORT_COUNTS,
  agentOf,
  callOptions,
  defineVmOperation,
  type EnsuredVm,
  ensurePower,
  HOST_CALL_MS,
  intentOf,
  MINUTE_MS,
  VmTarget,
} from './vm-operation.js';
import { heldBy, VmShape } from './vm-shape.js';

const Identity = z.object({
  name: z.string(),
  labels: z.record(z.string(), z.string()),
  /** Left out: its group is not spoken of. */
  vmGroupId: z.uuid().nullable().optional(),
  highAvailability: z.boolean().optional(),
});
/** What the VM was before, and is afterwards. */
const Side = z.object({ identity: Identity, current: VmShape, next: VmShape.nullable() });

/** The target is the VM as it is once the update is done. */
export const UpdateVmInput = VmTarget.extend({
  power: z.enum(['running', 'paused', 'stopped']),
  before: Side,
  after: Side,
  images: z.array(NeededImage),
  /** What becomes of its disks on pools; an operation recorded before there were any says nothing. */
  pooled: PooledChange.prefault({}),
});
export type UpdateVmInput = z.infer<typeof UpdateVmInput>;

/** An image for a drive may have to be fetched: as long as a creation may take. */
const DEADLINE_MS = 30 * MINUTE_MS;
/** The guest gets 30 s to let go of each device (UNPLUG_TIMEOUT_MS of the driver). */
export const CHANGE_CALL_MS = 5 * MINUTE_MS;

const shapesOf = ({ current, next }: UpdateVmInput['before']): VmShape[] =>
  next === null ? [current] : [current, next];
/** In the folder of its host. */
const dataDisksOf = (shape: VmShape) => shape.hardware.devices.dataDisks.filter(({ poolId }) => poolId === null);
const pooledOf = ({ pooledVolumes }: UpdateVmInput, ids: readonly string[]) =>
  pooledVolumes.filter(({ volumeId }) => ids.includes(volumeId));
const newDisks = ({ before, after }: UpdateVmInput) => {
  const known = new Set(
    [before.current, before.next].flatMap((shape) => (shape === null ? [] : dataDisksOf(shape))).map(({ id }) => id),
  );
  return dataDisksOf(after.next ?? after.current).filter(({ id }) => !known.has(id));
};
const goneDiskIds = ({ before, after }: UpdateVmInput): string[] => {
  const kept = new Set(
    [after.current, after.next].flatMap((shape) => (shape === null ? [] : dataDisksOf(shape))).map(({ id }) => id),
  );
  const had = [before.current, before.next].flatMap((shape) => (shape === null ? [] : dataDisksOf(shape)));
  return [...new Set(had.map(({ id }) => id).filter((id) => id !== null && !kept.has(id)))] as string[];
};

/** As the VM is to be, but with each disk as large as it was: growth cannot be taken back, so it comes last. */
function withFormerSizes(input: UpdateVmInput): VmTarget {
  const { hardware, before } = { hardware: input.hardware, before: input.before.current.hardware.devices };
  const sizes = new Map(before.dataDisks.map(({ id, sizeBytes }) => [id, sizeBytes]));
  const devices = {
    ...hardware.devices,
    rootDisk: { ...hardware.devices.rootDisk, sizeBytes: before.rootDisk.sizeBytes },
    dataDisks: hardware.devices.dataDisks.map((disk) => ({ ...disk, sizeBytes: sizes.get(disk.id) ?? disk.sizeBytes })),
  };
  return { ...input, hardware: { ...hardware, devices } };
}

const ensureSpec = (context: Parameters<typeof ensurePower>[0], target: VmTarget, power: UpdateVmInput['power']) =>
  power === 'stopped' ? Promise.resolve(null) : ensurePower(context, target, { power }, { timeoutMs: CHANGE_CALL_MS });

/** The host took in what the VM is to be, and found its process ended since. */
function whereEnded(error: unknown): EnsuredVm {
  const hasEnded = error instanceof DomainError && error.code === 'guest_fault' && error.details['reason'] != null;
  if (hasEnded) return ANY_REPORT_COUNTS;
  throw error;
}

export const updateVmOperation = defineVmOperation({
  kind: 'vm.update',
  inputShape: UpdateVmInput,
  deadlineMs: DEADLINE_MS,
  unwindDeadlineMs: 15 * MINUTE_MS,
})
  .step('ensure-images', {
    run: async (context) => {
      const { images, hostId } = context.input;
      if (images.length > 0) await ensureImages(context, images, { hostId }, DEADLINE_MS);
    },
    undo: nothing("the host's cache of images is for all its VMs; the host makes room when it needs some"),
  })
  .step('make-disks', {
    run: async (context) => {
      const { input } = context;
      for (const { id, sizeBytes } of newDisks(input)) {
        const agent = await agentOf(context.services, input.hostId);
        const disk = { volumeId: String(id), sizeBytes, imageId: null, imageSha256: null };
        await agent.ensureDisk(intentOf(context, input), disk, callOptions(context, HOST_CALL_MS));
      }
      const made = pooledOf(input, input.pooled.madeIds);
      if (made.length > 0) await makePooledDisks(context, await agentOf(context.services, input.hostId), input, made);
    },
    undo: async (context) => {
      const { input } = context;
      for (const { id } of newDisks(input)) {
        const agent = await agentOf(context.services, input.hostId);
        await agent.removeDisk(intentOf(context, input), String(id), callOptions(context, HOST_CALL_MS));
      }
      const made = pooledOf(input, input.pooled.madeIds);
      if (made.length > 0) await unmakePooledDisks(context, await agentOf(context.services, input.hostId), made);
    },
  })
  .step('change-machine', {
    // The machine is told even if nothing of it changes: a name, a policy and what its record says follow.
    run: (context) => ensureSpec(context, withFormerSizes(context.input), context.input.power),
    undo: async (context) => {
      const { input } = context;
      const before = { ...input, ...input.before.current, name: input.before.identity.name };
      // A loss of power, say, is what is being undone: the host has what the VM is to be again, and reports the end.
      await ensureSpec(context, before, input.power).catch(whereEnded);
    },
  })
  .step('finish', {
    run: async (context) => {
      const { input } = context;
      const grown = pooledOf(
        input,
        input.pooled.grown.map(({ volumeId }) => volumeId),
      );
      const open = { vmId: input.vmId, isOpen: input.power !== 'stopped' };
      if (grown.length > 0) await growPooledDisks(context, await agentOf(context.services, input.hostId), open, grown);
      // Nothing is left to be told to a process that has ended: its host has what it is to be at its next start, and reports the end.
      const ensured = await ensureSpec(context, input, input.power).catch(whereEnded);
      for (const volumeId of goneDiskIds(input)) {
        const agent = await agentOf(context.services, input.hostId);
        await agent.removeDisk(intentOf(context, input), volumeId, callOptions(context, HOST_CALL_MS));
      }
      return ensured;
    },
    undo: irreversible('a disk that has grown cannot be made smaller, and a removed one is gone'),
  })
  .settle({
    done: async (tx, { operationId, input, outputs }) => {
      const { before, after } = input;
      const during = heldBy(input.rootVolumeId, [before.current, before.next, after.current, after.next]);
      const held = heldBy(input.rootVolumeId, [after.current, after.next]);
      await changeHeld(tx, input, during, held);
      await writeShape(tx, input.vmId, after);
      await settleMadeVolumes(tx, operationId, input, pooledOf(input, input.pooled.madeIds));
      await detachVolumes(tx, input.vmId, input.pooled.goneIds);
      await writeVolumes(tx, input, held.volumes);
      await keepAddresses(tx, input.vmId, shapesOf(after));
      await keepUserData(tx, input.vmId, shapesOf(after));
      await releasePorts(tx, input.vmId, shapesOf(before), shapesOf(after));
      await settleVm(tx, operationId, input, {
        result: input.power === 'running' ? 'done' : input.power === 'paused' ? 'donePaused' : 'doneStopped',
        failure: null,
        isOutcomeKnown: true,
        ensured: outputs.finish ?? undefined,
      });
    },
    unwound: async (tx, { operationId, input, error }) => {
      const { before, after } = input;
      const during = heldBy(input.rootVolumeId, [before.current, before.next, after.current, after.next]);
      const held = heldBy(input.rootVolumeId, [before.current, before.next]);
      await changeHeld(tx, input, during, held);
      await writeNextShape(tx, input.vmId, before.next);
      const { madeIds, attachedIds, grown } = input.pooled;
      await undoGrowth(tx, input, grown);
      await undoPooledDisks(tx, operationId, input, { made: pooledOf(input, madeIds), attachedIds });
      await writeVolumes(tx, input, held.volumes);
      await keepAddresses(tx, input.vmId, shapesOf(before));
      await keepUserData(tx, input.vmId, shapesOf(before));
      await releasePorts(tx, input.vmId, shapesOf(after), shapesOf(before));
      // If another VM has taken the former name meanwhile, the new one stays.
      await writeName(tx, input.vmId, before.identity);
      // Whatever came to its former place meanwhile: what the group's rules then say of it is shown with the group.
      if (before.identity.vmGroupId !== undefined) await writeGroup(tx, input.vmId, before.identity.vmGroupId);
      const { highAvailability } = before.identity;
      if (highAvailability !== undefined) await writeAvailability(tx, input.vmId, highAvailability);
      await settleVm(tx, operationId, input, { result: 'unwound', failure: error, isOutcomeKnown: false });
    },
  });
