import { ERROR_CATALOGUE, ERROR_CODES, type StepState } from '@kvorum/schema';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideNext, decideOnFailure, type NextAction, type OperationView, type StepView } from './decide-next.js';

/** `d` done, `r` running, `f` failed, `p` pending, `u` undoing, `x` undone; a capital letter: cannot be undone. */
const LETTERS: Record<string, StepState> = {
  d: 'done',
  r: 'running',
  f: 'failed',
  p: 'pending',
  u: 'undoing',
  x: 'undone',
};
const stepsOf = (letters: string): StepView[] =>
  [...letters].map((letter) => ({
    state: LETTERS[letter.toLowerCase()] ?? 'pending',
    canUndo: letter === letter.toLowerCase(),
  }));

const viewOf = (state: OperationView['state'], letters: string, flags = ''): OperationView => ({
  state,
  steps: stepsOf(letters),
  isCancelRequested: flags.includes('cancel'),
  isPastDeadline: flags.includes('late'),
});

const named = (action: NextAction): string =>
  [action.kind, 'index' in action ? action.index : null, 'because' in action ? action.because : null]
    .filter((part) => part !== null)
    .join(' ');

describe('decideNext', () => {
  it.each([
    // forward
    ['running', 'ppp', '', 'run 0'],
    ['running', 'dpp', '', 'run 1'],
    ['running', 'drp', '', 'run 1'],
    ['running', 'dfp', '', 'run 1'],
    ['running', 'ddd', '', 'succeed'],
    ['running', '', '', 'succeed'],
    ['running', 'ddd', 'late', 'succeed'],
    ['running', 'ddd', 'cancel', 'turn cancelled'],
    ['running', 'dpp', 'cancel', 'turn cancelled'],
    ['running', 'drp', 'late', 'turn deadline_exceeded'],
    ['running', 'ppp', 'cancel late', 'turn cancelled'],
    // past the point of no return
    ['running', 'ddP', 'cancel', 'turn cancelled'],
    ['running', 'ddR', 'cancel', 'run 2'],
    ['running', 'ddF', 'late', 'park deadline_exceeded'],
    ['running', 'ddDP', 'late', 'park deadline_exceeded'],
    ['running', 'ddD', 'cancel late', 'succeed'],
    ['running', 'dxp', '', 'park bug'],
    // backward
    ['unwinding', 'ddr', '', 'undo 2'],
    ['unwinding', 'ddf', '', 'undo 2'],
    ['unwinding', 'ddu', '', 'undo 2'],
    ['unwinding', 'dux', '', 'undo 1'],
    ['unwinding', 'dxp', '', 'undo 0'],
    ['unwinding', 'xxp', '', 'end-unwound'],
    ['unwinding', 'ppp', 'late', 'end-unwound'],
    ['unwinding', 'dxp', 'late', 'park deadline_exceeded'],
    ['unwinding', 'dxp', 'cancel', 'undo 0'],
    ['unwinding', 'ddR', '', 'park bug'],
  ] as const)('%s [%s] %s -> %s', (state, letters, flags, expected) => {
    expect(named(decideNext(viewOf(state, letters, flags)))).toBe(expected);
  });

  type Happening = 'ok' | 'interrupted' | 'retry' | 'unwind' | 'cancel' | 'late';
  const happening = fc.constantFrom<Happening>('ok', 'ok', 'ok', 'interrupted', 'retry', 'unwind', 'cancel', 'late');

  /** Plays an operation: the view is changed as the stores change the rows. */
  const play = (undoableCount: number, irreversibleCount: number, happenings: readonly Happening[]): string[] => {
    const steps = Array.from({ length: undoableCount + irreversibleCount }, (_, index) => ({
      state: 'pending' as StepState,
      canUndo: index < undoableCount,
    }));
    const view = { state: 'running' as OperationView['state'], steps, isCancelRequested: false, isPastDeadline: false };
    const log: string[] = [];
    for (const happened of happenings) {
      const action = decideNext(view);
      log.push(named(action));
      if (action.kind === 'turn') {
        view.state = 'unwinding';
        view.isPastDeadline = false;
      }
      if (action.kind !== 'run' && action.kind !== 'undo') {
        if (action.kind === 'turn') continue;
        return log;
      }
      const step = steps[action.index] as { state: StepState; canUndo: boolean };
      step.state = action.kind === 'run' ? 'running' : 'undoing';
      if (happened === 'cancel' && !steps.some((other) => !other.canUndo && other.state !== 'pending')) {
        view.isCancelRequested = true;
      }
      if (happened === 'late') view.isPastDeadline = true;
      if (happened === 'interrupted') continue;
      if (happened === 'ok' || happened === 'cancel' || happened === 'late') {
        step.state = action.kind === 'run' ? 'done' : 'undone';
        continue;
      }
      if (action.kind === 'run') step.state = 'failed';
      const decided = decideOnFailure(view, happened === 'retry' ? 'host_unreachable' : 'host_fault');
      if (decided === 'park' || decided === 'stop') return [...log, decided];
      if (decided === 'turn') view.state = 'unwinding';
    }
    return log;
  };

  it('runs steps in order, undoes in reverse order what was begun and nothing else, and never undoes the irreversible', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 0, max: 2 }),
        fc.array(happening, { maxLength: 40 }),
        (undoableCount, irreversibleCount, happenings) => {
          const log = play(undoableCount, irreversibleCount, happenings);
          const indexesOf = (kind: string): number[] =>
            log.filter((line) => line.startsWith(`${kind} `)).map((line) => Number(line.split(' ')[1]));
          const run = indexesOf('run');
          const undone = indexesOf('undo');
          expect(run).toEqual([...run].sort((a, b) => a - b));
          expect(undone).toEqual([...undone].sort((a, b) => b - a));
          expect(undone.every((index) => index < undoableCount && run.includes(index))).toBe(true);
          if (undone.length > 0) expect(undone[0]).toBe(run.at(-1));
          const firstUndo = log.findIndex((line) => line.startsWith('undo'));
          expect(log.slice(firstUndo === -1 ? log.length : firstUndo).some((line) => line.startsWith('run'))).toBe(
            false,
          );
          if (log.at(-1) === 'end-unwound') expect(new Set(undone)).toEqual(new Set(run));
          if (log.at(-1) === 'succeed') {
            expect(new Set(run).size).toBe(undoableCount + irreversibleCount);
            expect(undone).toEqual([]);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('ends within two passes over the steps when nothing fails any more', () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 12 }), (happenings) => {
        const calm = Array.from({ length: 12 }, () => 'ok' as const);
        const last = play(3, 0, [...happenings, ...calm]).at(-1);
        expect(last).toMatch(/^(succeed|end-unwound|park)/);
      }),
    );
  });
});

describe('decideOnFailure', () => {
  const forward = { state: 'running', steps: stepsOf('dr') } as const;
  const bound = { state: 'running', steps: stepsOf('dR') } as const;
  const backward = { state: 'unwinding', steps: stepsOf('du') } as const;

  it.each(ERROR_CODES)(
    '%s: forward as the catalogue says, past no return never back, unwinding only retried',
    (code) => {
      const asked = ERROR_CATALOGUE[code].runner;
      expect(decideOnFailure(forward, code)).toBe(
        { retry: 'retry', unwind: 'turn', stop: 'stop', stuck: 'park' }[asked],
      );
      expect(decideOnFailure(bound, code)).toBe({ retry: 'retry', unwind: 'park', stop: 'stop', stuck: 'park' }[asked]);
      expect(decideOnFailure(backward, code)).toBe(asked === 'retry' ? 'retry' : 'park');
    },
  );
});
