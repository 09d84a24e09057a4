import { z } from 'zod';
import { irreversible } from '../operations/define-operation.js';
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
  /** False: its creation was undone, and its host has nothing of it and need not be asked. */
  isOnHost: z.boolean(),
});

export const deleteVmOperation = defineVmOperation({
  kind: 'vm.delete',
  inputShape: DeleteVmInput,
  deadlineMs: 15 * MINUTE_MS,
  unwindDeadlineMs: 5 * MINUTE_MS,
})
  .step('remove-vm', {
    run: async (context) => {
      const { input } = context;
      if (!input.isOnHost) return;
      const agent = await agentOf(context.services, input.hostId);
      await agent.removeVm(intentOf(context, input), callOptions(context, HOST_CALL_MS));
      // With the VM go its disks; asking for each by name as well makes sure of one the host kept apart from it.
      await agent.removeDisk(intentOf(context, input), input.rootVolumeId, callOptions(context, HOST_CALL_MS));
    },
    undo: irreversible('the disks are gone with it'),
  })
  .settle({
    done: (tx, { operationId, input }) => settleDeletedVm(tx, operationId, input),
    // Only ever before the first step has begun: the VM is as it was, but its guest has not been looked at.
    unwound: (tx, { operationId, input, error }) =>
      settleVm(tx, operationId, input, { result: 'unwound', failure: error, isOutcomeKnown: false }),
  });
