import { GRACE_MS_MAX } from '@kvorum/schema';
import { z } from 'zod';
import { nothing } from '../operations/define-operation.js';
import { settleVm } from './settle-vm.js';
import { defineVmOperation, ensurePower, MINUTE_MS, VmTarget } from './vm-operation.js';

/** How long the guest may take after the power button; its agent then ends it hard, also if we are gone by then. */
export const StopVmInput = VmTarget.extend({ graceMs: z.int().min(0).max(GRACE_MS_MAX) });

export const stopVmOperation = defineVmOperation({
  kind: 'vm.stop',
  inputShape: StopVmInput,
  deadlineMs: GRACE_MS_MAX + 5 * MINUTE_MS,
  unwindDeadlineMs: 10 * MINUTE_MS,
})
  .step('stop-guest', {
    run: (context) => ensurePower(context, context.input, { power: 'stopped', graceMs: context.input.graceMs }),
    undo: nothing('a guest that was told to shut down cannot be told not to; its host reports what became of it'),
  })
  .settle({
    done: (tx, { operationId, input, outputs }) =>
      settleVm(tx, operationId, input, {
        result: 'done',
        failure: null,
        isOutcomeKnown: true,
        ensured: outputs['stop-guest'],
      }),
    unwound: (tx, { operationId, input, error }) =>
      settleVm(tx, operationId, input, { result: 'unwound', failure: error, isOutcomeKnown: false }),
  });
