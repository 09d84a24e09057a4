import { DomainError } from '@kvorum/schema';
import type { HeldLease } from './lease-keeper.js';

/** Time a step has to end by itself after its signal was aborted; then it is left alone, fenced by its old token. */
const ABORT_GRACE_MS = 10_000;
/** setTimeout's own limit; a longer deadline is looked at again when the step ends. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export type Attempt<Output> =
  | { readonly kind: 'done'; readonly output: Output }
  | { readonly kind: 'failed'; readonly thrown: unknown }
  /** Lease lost or worker closing: nothing may be concluded. */
  | { readonly kind: 'interrupted' };

export interface AttemptBounds {
  readonly held: HeldLease;
  /** Of the way the operation goes, by `performance.now()`. */
  readonly deadlineAtMs: number;
  /** 'ends': a cancel request aborts it; 'ignored': the step cannot be undone, or is being undone. */
  readonly cancel: 'ends' | 'ignored';
}

/**
 * Executes one `run` or `undo` within its bounds. The signal it gets is aborted by a lost lease, a cancel and the deadline;
 * if it fails then, the reason of the abort is its failure, and if it succeeds all the same, it has succeeded.
 */
export async function attemptStep<Output>(
  bounds: AttemptBounds,
  execute: (signal: AbortSignal) => Promise<Output>,
): Promise<Attempt<Output>> {
  const deadline = new AbortController();
  const leftMs = Math.max(0, bounds.deadlineAtMs - performance.now());
  const deadlineTimer = setTimeout(
    () => deadline.abort(new DomainError('deadline_exceeded', 'the time limit of the operation has passed')),
    Math.min(leftMs, TIMER_MS_MAX),
  );
  const { lost, cancelled } = bounds.held;
  const signal = AbortSignal.any([lost, deadline.signal, ...(bounds.cancel === 'ends' ? [cancelled] : [])]);
  const ending = new AbortController();
  try {
    return await Promise.race([settle(execute, signal, lost), givenUp(signal, lost, ending.signal)]);
  } finally {
    clearTimeout(deadlineTimer);
    ending.abort();
  }
}

async function settle<Output>(
  execute: (signal: AbortSignal) => Promise<Output>,
  signal: AbortSignal,
  lost: AbortSignal,
): Promise<Attempt<Output>> {
  try {
    return { kind: 'done', output: await execute(signal) };
  } catch (thrown) {
    if (lost.aborted) return { kind: 'interrupted' };
    return { kind: 'failed', thrown: signal.aborted ? signal.reason : thrown };
  }
}

/** Resolves when a step that was told to end has not; at once if the lease is lost, for then nobody waits for it. */
const givenUp = (signal: AbortSignal, lost: AbortSignal, ended: AbortSignal): Promise<Attempt<never>> =>
  new Promise((resolve) => {
    const interrupt = (): void => resolve({ kind: 'interrupted' });
    lost.addEventListener('abort', interrupt, { signal: ended, once: true });
    if (lost.aborted) interrupt();
    const waitOut = (): void => {
      const timer = setTimeout(() => resolve({ kind: 'failed', thrown: signal.reason }), ABORT_GRACE_MS);
      ended.addEventListener('abort', () => clearTimeout(timer), { once: true });
    };
    signal.addEventListener('abort', waitOut, { signal: ended, once: true });
    if (signal.aborted) waitOut();
  });
