import { DomainError, type Operation, type StoredError, toStoredError } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { changeOperation, NO_WAY_BACK, refusal } from './change-operation.js';
import { markResumed, markUnwinding } from './operation.store.js';
import { hasIrreversibleBegun } from './operation-row.js';

/**
 * Turns a stuck or running operation round at once: unlike a cancel it does not wait for the running step, whose worker is
 * fenced off. Its end is `failed` with what it was stuck on, or `cancelled` if it was running. One that is unwinding already
 * stays as it is. Throws `conflict_state` when it has ended or cannot go back any more.
 */
export const unwindOperation = (
  cp: Pick<ControlPlane, 'database' | 'bell'>,
  actor: Actor,
  operationId: string,
): Promise<Operation> =>
  changeOperation(cp, actor, operationId, async (tx, row) => {
    if (row.state === 'unwinding') return;
    if (row.state === 'queued') throw refusal(row, 'unwind', 'cancel it instead');
    if (row.state !== 'stuck' && row.state !== 'running') throw refusal(row, 'unwind', 'it has ended');
    if (hasIrreversibleBegun(row.steps)) throw refusal(row, 'unwind', NO_WAY_BACK);
    if (row.unwindCause !== null) return markResumed(tx, row);
    const byRequest = toStoredError(new DomainError('cancelled', `unwound on request of ${actor.tokenName}`));
    await markUnwinding(tx, row, (row.state === 'stuck' ? (row.error as StoredError | null) : null) ?? byRequest);
  });
