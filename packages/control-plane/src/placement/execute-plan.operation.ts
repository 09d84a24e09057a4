import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError, type HostId, type OperationId, type VmId } from '@kvorum/schema';
import { z } from 'zod';
import type { ControlPlane } from '../control-plane.js';
import { defineOperation, nothing, type StepContext } from '../operations/define-operation.js';
import { findOperation } from '../operations/operation.store.js';
import { moveVm } from '../vm/move-vm.js';
import { findOperationStates } from './execute-plan.store.js';

/** What the steps work with: each move is asked for as people ask for it. */
export type PlanServices = ControlPlane;

const Move = z.object({
  /** Of the move, given beforehand: whoever goes on finds what was begun. */
  operationId: z.uuid(),
  vmId: z.uuid(),
  vmName: z.string(),
  toHostId: z.uuid(),
});
type Move = z.infer<typeof Move>;

export const ExecutePlanInput = z.object({
  requestedBy: z.string(),
  /** As planned: one after the other, the moves of one together. */
  steps: z.array(z.array(Move)),
});
export type ExecutePlanInput = z.infer<typeof ExecutePlanInput>;

/** Two hosts more or less saturate their wire with one; a target takes as many at once. */
const MOVES_AT_ONCE_MAX = 4;
/** A move has 12 hours; a plan of several large ones has some days. */
const DEADLINE_MS = 4 * 24 * 3_600_000;
const UNWIND_DEADLINE_MS = 60_000;
/**
 * Then the step is left and taken up again by the runner: the moves need workers as well, and one that only waits must not be
 * the last of them.
 */
const PASS_MS = 20_000;
const ROUND_MS = 1_000;

type Context = StepContext<ExecutePlanInput, unknown, PlanServices>;
type MoveState = 'to-do' | 'under-way' | 'done' | 'failed';

/** Does what can be done now. Throws unavailable while moves are under way, and what the first that failed has failed with. */
async function pass(context: Context): Promise<void> {
  const endsAtMs = performance.now() + PASS_MS;
  for (;;) {
    const states = await statesOf(context);
    const moves = context.input.steps.flat();
    const count = (state: MoveState): number =>
      moves.filter(({ operationId }) => states.get(operationId) === state).length;
    context.reportProgress({ phase: `${count('done')} of ${moves.length} moved` });
    if (count('failed') > 0) throw await failureOf(context, states);
    if (count('done') === moves.length) return;
    const step =
      context.input.steps.find((of) => of.some(({ operationId }) => states.get(operationId) !== 'done')) ?? [];
    const next = step.filter(({ operationId }) => states.get(operationId) === 'to-do');
    for (const move of next.slice(0, MOVES_AT_ONCE_MAX - count('under-way'))) await begin(context, move);
    if (performance.now() > endsAtMs) {
      throw new DomainError('unavailable', `${count('done')} of ${moves.length} moved, the next ones are under way`);
    }
    await sleep(ROUND_MS, undefined, { signal: context.signal });
  }
}

async function statesOf({ services, input }: Context): Promise<ReadonlyMap<string, MoveState>> {
  const ids = input.steps.flat().map(({ operationId }) => operationId);
  const operations = await findOperationStates(services.database, ids);
  return new Map(
    ids.map((id) => {
      const state = operations.get(id);
      if (state === undefined) return [id, 'to-do'];
      if (state === 'succeeded') return [id, 'done'];
      return [id, ['failed', 'cancelled', 'stuck'].includes(state) ? 'failed' : 'under-way'];
    }),
  );
}

async function begin({ services, input }: Context, move: Move): Promise<void> {
  const actor = { tokenId: '', tokenName: input.requestedBy, role: 'admin', projectId: null } as const;
  const hostId = move.toHostId as HostId;
  const operationId = move.operationId as OperationId;
  try {
    await moveVm(services, actor, move.vmId as VmId, { hostId }, { operationId });
  } catch (error) {
    // By whoever worked on this before us, who has not been told that it was over.
    if ((await findOperation(services.database, operationId)) !== null) return;
    if (!(error instanceof DomainError)) throw error;
    throw new DomainError(error.code, `${move.vmName} is not moved: ${error.message}`, { details: error.details });
  }
}

/** Nothing is planned anew: what was done stays, and a person decides by a new plan. */
async function failureOf({ services, input }: Context, states: ReadonlyMap<string, MoveState>): Promise<DomainError> {
  const namesOf = (state: MoveState): string[] =>
    input.steps.flat().flatMap(({ operationId, vmName }) => (states.get(operationId) === state ? [vmName] : []));
  const failed = input.steps.flat().find(({ operationId }) => states.get(operationId) === 'failed');
  const operation = await findOperation(services.database, failed?.operationId ?? '');
  const why = (operation?.error as { message?: string } | null)?.message ?? String(operation?.state);
  return new DomainError('conflict_state', `${failed?.vmName} was not moved: ${why}`, {
    details: {
      operationId: failed?.operationId ?? null,
      moved: namesOf('done'),
      underWay: namesOf('under-way'),
      notBegun: namesOf('to-do'),
    },
  });
}

const executing = (kind: 'host.drain' | 'fleet.rebalance') =>
  defineOperation<PlanServices>()({
    kind,
    inputShape: ExecutePlanInput,
    deadlineMs: DEADLINE_MS,
    unwindDeadlineMs: UNWIND_DEADLINE_MS,
  })
    .step('move-vms', {
      run: pass,
      undo: nothing('each VM is where it was or where it was to be; moves that are under way end by themselves'),
    })
    .settle({ done: () => Promise.resolve(), unwound: () => Promise.resolve() });

export const drainHostOperation = executing('host.drain');
export const rebalanceFleetOperation = executing('fleet.rebalance');
