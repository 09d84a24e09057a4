import { GRACE_MS_MAX } from '@kvorum/schema';
import { z } from 'zod';
import { nothing } from '../operations/define-operation.js';
import { settleNewRun, settleVm } from './settle-vm.js';
import { hasStepBegun, returnEpoch } from './vm-intent.store.js';
import { defineVmOperation, ensurePower, MINUTE_MS, VmTarget } from './vm-operation.js';

/** `epoch` is the one of the new run; the guest that is stopped first runs under the one before it. */
export const RebootVmInput = VmTarget.extend({ graceMs: z.int().min(0).max(GRACE_MS_MAX) });

const START_STEP = 'start-guest';

export const rebootVmOperation = defineVmOperation({
  kind: 'vm.reboot',
  inputShape: RebootVmInput,
  deadlineMs: GRACE_MS_MAX + 10 * MINUTE_MS,
  unwindDeadlineMs: 10 * MINUTE_MS,
})
  .step('stop-guest', {
    run: (context) => {
      const { input } = context;
      return ensurePower(context, input, { power: 'stopped', graceMs: input.graceMs }, { epoch: input.epoch - 1 });
    },
    undo: nothing('a guest that was told to shut down cannot be told not to; its host reports what became of it'),
  })
  .step(START_STEP, {
    run: (context) => ensurePower(context, context.input, { power: 'running' }),
    undo: async (context) => {
      await ensurePower(context, context.input, { power: 'stopped', graceMs: 0 });
    },
  })
  .settle({
    done: (tx, { operationId, input, outputs }) => settleNewRun(tx, operationId, input, outputs[START_STEP]),
    unwound: async (tx, { operationId, input, error }) => {
      const isEpochUsed = await hasStepBegun(tx, operationId, START_STEP);
      await settleVm(tx, operationId, input, { result: 'unwound', failure: error, isOutcomeKnown: isEpochUsed });
      // The guest may not have shut down at all: reports about it name the epoch it runs under.
      if (!isEpochUsed) await returnEpoch(tx, input.vmId, input.generation, input.epoch);
    },
  });
