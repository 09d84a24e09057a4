import { nothing } from '../operations/define-operation.js';
import { settleVm } from './settle-vm.js';
import { defineVmOperation, ensurePower, MINUTE_MS, VmTarget } from './vm-operation.js';

export const resumeVmOperation = defineVmOperation({
  kind: 'vm.resume',
  inputShape: VmTarget,
  deadlineMs: 5 * MINUTE_MS,
  unwindDeadlineMs: 5 * MINUTE_MS,
})
  .step('resume-guest', {
    run: (context) => ensurePower(context, context.input, { power: 'running' }),
    undo: nothing('the host reports whether the guest runs or is paused'),
  })
  .settle({
    done: (tx, { operationId, input, outputs }) =>
      settleVm(tx, operationId, input, {
        result: 'done',
        failure: null,
        isOutcomeKnown: true,
        ensured: outputs['resume-guest'],
      }),
    unwound: (tx, { operationId, input, error }) =>
      settleVm(tx, operationId, input, { result: 'unwound', failure: error, isOutcomeKnown: false }),
  });
