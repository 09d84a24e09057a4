import { nothing } from '../operations/define-operation.js';
import { settleVm } from './settle-vm.js';
import { defineVmOperation, ensurePower, MINUTE_MS, VmTarget } from './vm-operation.js';

export const pauseVmOperation = defineVmOperation({
  kind: 'vm.pause',
  inputShape: VmTarget,
  deadlineMs: 5 * MINUTE_MS,
  unwindDeadlineMs: 5 * MINUTE_MS,
})
  .step('pause-guest', {
    run: (context) => ensurePower(context, context.input, { power: 'paused' }),
    undo: nothing('the host reports whether the guest runs or is paused'),
  })
  .settle({
    done: (tx, { operationId, input, outputs }) =>
      settleVm(tx, operationId, input, {
        result: 'done',
        failure: null,
        isOutcomeKnown: true,
        ensured: outputs['pause-guest'],
      }),
    unwound: (tx, { operationId, input, error }) =>
      settleVm(tx, operationId, input, { result: 'unwound', failure: error, isOutcomeKnown: false }),
  });
