import { nothing } from '../operations/define-operation.js';
import { settleVm } from './settle-vm.js';
import { defineVmOperation, ensurePower, MINUTE_MS, VmTarget } from './vm-operation.js';

export const resetVmOperation = defineVmOperation({
  kind: 'vm.reset',
  inputShape: VmTarget,
  deadlineMs: 5 * MINUTE_MS,
  unwindDeadlineMs: 5 * MINUTE_MS,
})
  .step('press-reset', {
    run: (context) => ensurePower(context, context.input, { power: 'running', reset: true }),
    undo: nothing('a reset cannot be taken back; the guest runs on'),
  })
  .settle({
    done: (tx, { operationId, input, outputs }) =>
      settleVm(tx, operationId, input, {
        result: 'done',
        failure: null,
        isOutcomeKnown: true,
        ensured: outputs['press-reset'],
      }),
    unwound: (tx, { operationId, input, error }) =>
      settleVm(tx, operationId, input, { result: 'unwound', failure: error, isOutcomeKnown: false }),
  });
