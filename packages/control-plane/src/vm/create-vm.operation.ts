import { Accelerator } from '@kvorum/schema';
import { z } from 'zod';
import type { AgentPort } from '../agents/agent-port.js';
import { nothing } from '../operations/define-operation.js';
import { releasePorts } from './card-port.store.js';
import { ensureImages } from './ensure-images.js';
import { makePooledDisks, unmakePooledDisks } from './make-pooled-disks.js';
import { NeededImage } from './media-of-drives.js';
import { settleMadeVolumes, undoPooledDisks } from './settle-pooled-disks.js';
import { giveBack, settleVm } from './settle-vm.js';
import {
  agentOf,
  callOptions,
  defineVmOperation,
  ensurePower,
  HOST_CALL_MS,
  intentOf,
  MINUTE_MS,
  VmTarget,
} from './vm-operation.js';
import { forgetWait } from './waiting-vm.store.js';

export const CreateVmInput = VmTarget.extend({
  /** Null while it waits for a host; then nobody works on it. */
  hostId: z.uuid().nullable(),
  accelerator: Accelerator.nullable(),
  /** Of the root disk; the others stand in `hardware`. */
  diskBytes: z.int(),
  image: NeededImage,
  /** What lies in its drives. An operation recorded before a VM could be made with drives has none. */
  media: z.array(NeededImage).default([]),
  /** False: it is made and left stopped. */
  isStarted: z.boolean(),
});
export type CreateVmInput = z.infer<typeof CreateVmInput>;

const ownVolumesOf = ({ pooledVolumes }: CreateVmInput) => pooledVolumes.filter(({ goesWithVm }) => goesWithVm);

function placed(input: CreateVmInput): CreateVmInput & VmTarget {
  const { hostId, accelerator } = input;
  if (hostId === null || accelerator === null) throw new TypeError(`VM ${input.vmId} has no host yet`);
  return { ...input, hostId, accelerator };
}

const dataDisksOf = ({ hardware }: CreateVmInput): { volumeId: string; sizeBytes: number }[] =>
  hardware.devices.dataDisks
    .filter(({ poolId }) => poolId === null)
    .map(({ id, sizeBytes }) => {
      if (id === null) throw new TypeError('the disks of a recorded VM have ids');
      return { volumeId: id, sizeBytes };
    });

/** In the folder of its host; those on pools are volumes of their own. */
const localDisksOf = (input: CreateVmInput): Parameters<AgentPort['ensureDisk']>[1][] => {
  const { rootVolumeId: volumeId, diskBytes: sizeBytes, templateId } = input;
  const { imageId, sha256: imageSha256 } = input.image;
  const base = templateId === null ? { imageId, imageSha256 } : { imageId: null, imageSha256: null, templateId };
  const root = { volumeId, sizeBytes, ...base };
  const empty = dataDisksOf(input).map((disk) => ({ ...disk, imageId: null, imageSha256: null }));
  return input.hardware.devices.rootDisk.poolId === null ? [root, ...empty] : empty;
};

/** Most of it is for the image: 30 minutes carry 100 GiB at 60 MB/s. */
const DEADLINE_MS = 30 * MINUTE_MS;
const UNWIND_DEADLINE_MS = 10 * MINUTE_MS;

export const createVmOperation = defineVmOperation({
  kind: 'vm.create',
  inputShape: CreateVmInput,
  deadlineMs: DEADLINE_MS,
  unwindDeadlineMs: UNWIND_DEADLINE_MS,
})
  .step('ensure-image', {
    run: async (context) => {
      const { image, media, hostId, templateId } = placed(context.input);
      // What a template's disk rests on is on its host.
      const images = templateId === null ? [image, ...media] : media;
      await ensureImages(context, images, { hostId }, DEADLINE_MS);
    },
    undo: nothing("the host's cache of images is for all its VMs; the host makes room when it needs some"),
  })
  .step('ensure-disk', {
    run: async (context) => {
      const input = placed(context.input);
      const agent = await agentOf(context.services, input.hostId);
      for (const disk of localDisksOf(input)) {
        await agent.ensureDisk(intentOf(context, input), disk, callOptions(context, HOST_CALL_MS));
      }
      await makePooledDisks(context, agent, input, ownVolumesOf(input));
    },
    undo: async (context) => {
      const input = placed(context.input);
      const agent = await agentOf(context.services, input.hostId);
      for (const { volumeId } of localDisksOf(input)) {
        await agent.removeDisk(intentOf(context, input), volumeId, callOptions(context, HOST_CALL_MS));
      }
      await unmakePooledDisks(context, agent, ownVolumesOf(input));
    },
  })
  .step('ensure-vm', {
    run: (context) =>
      // Stopped as well: from then on the host knows the VM and reports it.
      ensurePower(
        context,
        placed(context.input),
        context.input.isStarted ? { power: 'running' } : { power: 'stopped', graceMs: 0 },
      ),
    undo: async (context) => {
      const input = placed(context.input);
      const agent = await agentOf(context.services, input.hostId);
      await agent.removeVm(intentOf(context, input), callOptions(context, HOST_CALL_MS));
    },
  })
  .settle({
    done: async (tx, { operationId, input, outputs }) => {
      await settleVm(tx, operationId, input, {
        result: input.isStarted ? 'done' : 'doneStopped',
        failure: null,
        isOutcomeKnown: true,
        ensured: outputs['ensure-vm'],
      });
      await settleMadeVolumes(tx, operationId, input, ownVolumesOf(input));
    },
    unwound: async (tx, { operationId, input, error }) => {
      await forgetWait(tx, operationId);
      await giveBack(tx, input, { vmCount: 0 });
      const attachedIds = input.pooledVolumes.map(({ volumeId }) => volumeId);
      await undoPooledDisks(tx, operationId, input, { made: ownVolumesOf(input), attachedIds });
      await releasePorts(tx, input.vmId, [input], []);
      await settleVm(tx, operationId, input, { result: 'unwound', failure: error, isOutcomeKnown: true });
    },
  });
