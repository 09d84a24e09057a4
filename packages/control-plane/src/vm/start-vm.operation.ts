import { settleNewRun, settleVm } from './settle-vm.js';
import { hasStepBegun } from './vm-intent.store.js';
import { defineVmOperation, ensurePower, MINUTE_MS, VmTarget } from './vm-operation.js';

const STEP = 'ensure-running';

export const startVmOperation = defineVmOperation({
  kind: 'vm.start',
  inputShape: VmTarget,
  deadlineMs: 10 * MINUTE_MS,
  unwindDeadlineMs: 10 * MINUTE_MS,
})
  .step(STEP, {
    run: (context) => ensurePower(context, context.input, { power: 'running' }),
    // Hard: the guest has hardly begun, and whoever asked has been told that it did not start.
    undo: async (context) => {
      await ensurePower(context, context.input, { power: 'stopped', graceMs: 0 });
    },
  })
  .settle({
    done: (tx, { operationId, input, outputs }) => settleNewRun(tx, operationId, input, outputs[STEP]),
    unwound: async (tx, { operationId, input, error }) => {
      // Cancelled before it began: the host has not heard of it, and what it reports of the last intent still counts.
      const isOutcomeKnown = await hasStepBegun(tx, operationId, STEP);
      await settleVm(tx, operationId, input, { result: 'unwound', failure: error, isOutcomeKnown });
    },
  });
