import {
  allowedRequests,
  isSettled,
  nextOnFact,
  nextOnRequest,
  nextOnResult,
  refusalOf,
  statesAccepting,
  transitionsOnFact,
  VM_FACTS,
  VM_LIFECYCLE,
  VM_REQUESTS,
  VM_RESULTS,
  VM_STATES,
  type VmLifecycleRow,
  type VmState,
} from '@kvorum/schema';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readText } from './checkout.js';
import { readTable } from './docs-table.js';

const RESULT_TEXT: Readonly<Record<string, string>> = { doneStopped: 'done (stopped)', donePaused: 'done (paused)' };

type Lifecycle = Readonly<Record<VmState, VmLifecycleRow>>;

const targets = (row: VmLifecycleRow): VmState[] =>
  [row.request, row.result, row.fact].flatMap((events) => Object.values(events) as VmState[]);

/** Unsettled states from which no results lead to a settled one: a VM would wait there for ever. */
const traps = (lifecycle: Lifecycle): VmState[] => {
  const states = Object.keys(lifecycle) as VmState[];
  const good = new Set(states.filter((state) => lifecycle[state].settled));
  for (let before = -1; before !== good.size; ) {
    before = good.size;
    for (const state of states) {
      if (Object.values(lifecycle[state].result).some((to) => good.has(to as VmState))) good.add(state);
    }
  }
  return states.filter((state) => !good.has(state));
};
const exitsOfDeleted = (lifecycle: Lifecycle): VmState[] =>
  targets(lifecycle.deleted).filter((state) => state !== 'deleted');
const unreachable = (lifecycle: Lifecycle): VmState[] => {
  const seen = new Set<VmState>(['creating']);
  for (const state of seen) for (const next of targets(lifecycle[state])) seen.add(next);
  return (Object.keys(lifecycle) as VmState[]).filter((state) => !seen.has(state));
};
/** Settled states wait for nobody, so no operation can end in them; in unsettled ones, one always can, either way. */
const ownerless = (lifecycle: Lifecycle): VmState[] =>
  (Object.keys(lifecycle) as VmState[]).filter((state) => {
    const { settled, result } = lifecycle[state];
    return settled ? Object.keys(result).length > 0 : result.done === undefined || result.unwound === undefined;
  });

describe('the table of VM states', () => {
  it('has no state in which a VM waits for ever', () => expect(traps(VM_LIFECYCLE)).toEqual([]));
  it('has no way out of deleted', () => expect(exitsOfDeleted(VM_LIFECYCLE)).toEqual([]));
  it('has no state that cannot be reached', () => expect(unreachable(VM_LIFECYCLE)).toEqual([]));
  it('has an operation behind every unsettled state, and behind no other', () =>
    expect(ownerless(VM_LIFECYCLE)).toEqual([]));

  it('lets every settled VM be deleted', () => {
    expect(VM_STATES.filter(isSettled).filter((state) => !allowedRequests(state).includes('delete'))).toEqual([]);
  });

  it('gives resources back in deleted alone', () => {
    expect(VM_STATES.filter((state) => VM_LIFECYCLE[state].holdsResources === 'no')).toEqual(['deleted']);
  });

  it('never lets a fact take a VM away from the operation that owns it', () => {
    expect(VM_STATES.filter((state) => !isSettled(state) && Object.keys(VM_LIFECYCLE[state].fact).length > 0)).toEqual(
      [],
    );
  });

  it('answers a request while an operation works with nothing but the same request again', () => {
    for (const state of VM_STATES.filter((one) => !isSettled(one))) {
      for (const request of allowedRequests(state))
        expect([state, nextOnRequest(state, request)]).toEqual([state, state]);
    }
  });

  it('stays in the table whatever happens, and ends for good once deleted', () => {
    const event = fc.oneof(
      fc.constantFrom(...VM_REQUESTS).map((request) => (state: VmState) => nextOnRequest(state, request)),
      fc.constantFrom(...VM_RESULTS).map((result) => (state: VmState) => nextOnResult(state, result)),
      fc.constantFrom(...VM_FACTS).map((fact) => (state: VmState) => nextOnFact(state, fact)),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        let state: VmState = 'creating';
        for (const apply of events) {
          const next: VmState = apply(state) ?? state;
          expect(VM_STATES).toContain(next);
          if (state === 'deleted') expect(next).toBe('deleted');
          state = next;
        }
      }),
    );
  });
});

describe('what is derived from the table', () => {
  it.each(VM_REQUESTS)('guards of %s say the same as the table', (request) => {
    expect(statesAccepting(request)).toEqual(VM_STATES.filter((state) => request in VM_LIFECYCLE[state].request));
  });

  it.each(VM_FACTS)('transitions on %s say the same as the table', (fact) => {
    const pairs = transitionsOnFact(fact).map(({ from, to }) => [from, to]);
    expect(pairs).toEqual(
      VM_STATES.flatMap((state) => (fact in VM_LIFECYCLE[state].fact ? [[state, VM_LIFECYCLE[state].fact[fact]]] : [])),
    );
  });

  it.each([
    ['running', 'resume', /possible now: .*stop/],
    ['creating', 'stop', /wait until its operation has finished/],
    ['deleted', 'start', /possible now: delete/],
  ] as const)('the refusal in %s of %s names a way on', (state, request, expected) => {
    expect(refusalOf(state, request)).toMatch(expected);
  });
});

describe('docs/vm-lifecycle.md', () => {
  const rows = readTable(readText('docs/vm-lifecycle.md'));
  const cellOf = (state: VmState, events: Readonly<Record<string, VmState>>, nameOf = (event: string) => event) =>
    Object.entries(events)
      .map(([event, to]) => (to === state ? `${nameOf(event)} =` : `${nameOf(event)} → ${to}`))
      .sort();
  const split = (cell: string | undefined) => (cell === '–' ? [] : (cell ?? '').split(', ').sort());

  it('has every state once', () => expect(rows.map(([state]) => state)).toEqual(VM_STATES));

  it.each(VM_STATES)('is right about %s', (state) => {
    const [, request, result, fact, holds, settled] = rows.find(([name]) => name === state) ?? [];
    const row = VM_LIFECYCLE[state];
    expect(split(request)).toEqual(cellOf(state, row.request));
    expect(split(result)).toEqual(cellOf(state, row.result, (event) => RESULT_TEXT[event] ?? event));
    // A fact that leads to the same state is written out or marked, whichever the page does.
    expect(split(fact?.replaceAll(`→ ${state}`, '='))).toEqual(cellOf(state, row.fact));
    expect([holds, settled]).toEqual([row.holdsResources, row.settled ? 'yes' : 'no']);
  });
});

describe('each property fails on a table that breaks it', () => {
  const without = (state: VmState, changes: Partial<VmLifecycleRow>): Lifecycle => ({
    ...VM_LIFECYCLE,
    [state]: { ...VM_LIFECYCLE[state], ...changes },
  });

  it('a state without results is a trap', () =>
    expect(traps(without('stopping', { result: {} }))).toEqual(['stopping']));
  it('two states that lead only to each other are traps', () => {
    const loop = {
      ...without('pausing', { result: { done: 'resuming' } }),
      resuming: { ...VM_LIFECYCLE.resuming, result: { done: 'pausing' as const } },
    };
    expect(traps(loop)).toEqual(['pausing', 'resuming']);
  });
  it('a deleted VM that starts has a way out', () =>
    expect(exitsOfDeleted(without('deleted', { request: { start: 'starting' } }))).toEqual(['starting']));
  it('a fact counts as a way out too', () =>
    expect(exitsOfDeleted(without('deleted', { fact: { running: 'running' } }))).toEqual(['running']));
  it('a state nobody leads to is unreachable', () =>
    expect(
      unreachable({
        ...without('running', { request: {} }),
        stopped: { ...VM_LIFECYCLE.stopped, request: { delete: 'deleting' } },
        paused: { ...VM_LIFECYCLE.paused, request: {} },
      }),
    ).toContain('pausing'));
  it('a settled state with a result has an owner it must not have', () =>
    expect(ownerless(without('running', { result: { done: 'stopped' } }))).toEqual(['running']));
  it('an unsettled state that cannot fail has no end for failures', () =>
    expect(ownerless(without('stopping', { result: { done: 'stopped' } }))).toEqual(['stopping']));
});
