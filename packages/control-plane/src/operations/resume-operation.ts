import type { Operation } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { changeOperation, refusal } from './change-operation.js';
import { markResumed } from './operation.store.js';

/**
 * Lets a stuck operation go on the way it went, forward or back, from the step at which it stopped and with a fresh time
 * limit. Throws `conflict_state` if it is not stuck.
 */
export const resumeOperation = (
  cp: Pick<ControlPlane, 'database' | 'bell'>,
  actor: Actor,
  operationId: string,
): Promise<Operation> =>
  changeOperation(cp, actor, operationId, async (tx, row) => {
    if (row.state !== 'stuck') throw refusal(row, 'resume', 'only a stuck operation is resumed');
    await markResumed(tx, row);
  });
