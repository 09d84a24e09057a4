import { Accelerator } from '@kvorum/schema';
import { z } from 'zod';
import { nothing } from '../operations/define-operation.js';
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
  diskBytes: z.int(),
  image: z.object({ imageId: z.uuid(), sha256: z.string(), sizeBytes: z.int() }),
  /** False: it is made and left stopped. */
  isStarted: z.boolean(),
});
export type CreateVmInput = z.infer<typeof CreateVmInput>;

function placed(input: CreateVmInput): CreateVmInput & VmTarget {
  const { hostId, accelerator } = input;
  if (hostId === null || accelerator === null) throw new TypeError(`VM ${input.vmId} has no host yet`);
  return { ...input, hostId, accelerator };
}

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
      const { image, hostId } = placed(context.input);
      const agent = await agentOf(context.services, hostId);
      await agent.ensureImage(image, {
        ...callOptions(context, DEADLINE_MS),
        onProgress: (doneBytes) => context.reportProgress({ doneBytes, totalBytes: image.sizeBytes }),
      });
    },
    undo: nothing("the host's cache of images is for all its VMs; the host makes room when it needs some"),
  })
  .step('ensure-disk', {
    run: async (context) => {
      const input = placed(context.input);
      const agent = await agentOf(context.services, input.hostId);
      const { imageId, sha256: imageSha256 } = input.image;
      const disk = { volumeId: input.rootVolumeId, sizeBytes: input.diskBytes, imageId, imageSha256 };
      await agent.ensureDisk(intentOf(context, input), disk, callOptions(context, HOST_CALL_MS));
    },
    undo: async (context) => {
      const input = placed(context.input);
      const agent = await agentOf(context.services, input.hostId);
      await agent.removeDisk(intentOf(context, input), input.rootVolumeId, callOptions(context, HOST_CALL_MS));
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
    done: (tx, { operationId, input, outputs }) =>
      settleVm(tx, operationId, input, {
        result: input.isStarted ? 'done' : 'doneStopped',
        failure: null,
        isOutcomeKnown: true,
        ensured: outputs['ensure-vm'],
      }),
    unwound: async (tx, { operationId, input, error }) => {
      await forgetWait(tx, operationId);
      await giveBack(tx, input, { vmCount: 0 });
      await settleVm(tx, operationId, input, { result: 'unwound', failure: error, isOutcomeKnown: true });
    },
  });
