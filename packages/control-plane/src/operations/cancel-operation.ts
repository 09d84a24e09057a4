import type { Operation } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { changeOperation, NO_WAY_BACK, refusal } from './change-operation.js';
import { markCancelRequested } from './operation.store.js';
import { hasIrreversibleBegun } from './operation-row.js';

/**
 * Asks that an operation be undone: its running step is told to end, then all that was done is undone. Asking twice is
 * asking once. Throws `conflict_state` when it has ended, is being undone anyway, is stuck, or cannot go back any more.
 */
export const cancelOperation = (
  cp: Pick<ControlPlane, 'database' | 'bell'>,
  actor: Actor,
  operationId: string,
): Promise<Operation> =>
  changeOperation(cp, actor, operationId, async (tx, row) => {
    if (row.cancelRequestedAt !== null) return;
    if (row.state === 'stuck') throw refusal(row, 'cancel', 'unwind it instead');
    if (row.state !== 'queued' && row.state !== 'running') throw refusal(row, 'cancel', 'there is nothing to cancel');
    if (hasIrreversibleBegun(row.steps)) throw refusal(row, 'cancel', NO_WAY_BACK);
    await markCancelRequested(tx, row.id);
  });
