import { Accelerator } from '@kvorum/schema';
import { z } from 'zod';
import { irreversible } from '../operations/define-operation.js';
import { trashPooledDisks } from './make-pooled-disks.js';
import { releaseVolumesOfDeletedVm } from './settle-pooled-disks.js';
import { settleDeletedVm, settleVm } from './settle-vm.js';
import {
  agentOf,
  callOptions,
  defineVmOperation,
  HOST_CALL_MS,
  intentOf,
  MINUTE_MS,
  VmTarget,
} from './vm-operation.js';

export const DeleteVmInput = VmTarget.extend({
  /** Null: it never had a host. */
  hostId: z.uuid().nullable(),
  accelerator: Accelerator.nullable(),
  /** False: its creation was undone, and its host has nothing of it and need not be asked. */
  isOnHost: z.boolean(),
});

export type DeleteVmInput = z.infer<typeof DeleteVmInput>;

export const deleteVmOperation = defineVmOperation({
  kind: 'vm.delete',
  inputShape: DeleteVmInput,
  deadlineMs: 15 * MINUTE_MS,
  unwindDeadlineMs: 5 * MINUTE_MS,
})
  .step('remove-vm', {
    run: async (context) => {
      const { input } = context;
      const { hostId, accelerator } = input;
      if (!input.isOnHost || hostId === null || accelerator === null) return;
      const agent = await agentOf(context.services, hostId);
      const target = { ...input, hostId, accelerator };
      await agent.removeVm(intentOf(context, target), callOptions(context, HOST_CALL_MS));
      // With the VM go its disks; asking for each by name as well makes sure of one the host kept apart from it.
      for (const volumeId of [input.rootVolumeId, ...input.hardware.devices.dataDisks.map(({ id }) => id)]) {
        if (volumeId === null || input.pooledVolumes.some((pooled) => pooled.volumeId === volumeId)) continue;
        await agent.removeDisk(intentOf(context, target), volumeId, callOptions(context, HOST_CALL_MS));
      }
      await trashPooledDisks(context, agent, input.pooledVolumes);
    },
    undo: irreversible('the disks are gone with it'),
  })
  .settle({
    done: async (tx, { operationId, input }) => {
      await settleDeletedVm(tx, operationId, input);
      await releaseVolumesOfDeletedVm(tx, operationId, input, input.pooledVolumes);
    },
    // Only ever before the first step has begun: the VM is as it was, but its guest has not been looked at.
    unwound: (tx, { operationId, input, error }) =>
      settleVm(tx, operationId, input, { result: 'unwound', failure: error, isOutcomeKnown: false }),
  });
