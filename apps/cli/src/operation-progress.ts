import type { Operation } from '@kvorum/client';
import { formatByteSize } from './byte-size.js';
import type { ProgressUpdate } from './progress-display.js';

type Step = Operation['steps'][number];
type Progress = NonNullable<Operation['progress']>;

const PERCENT = 100;
/** Without a terminal, bytes are told in steps of this many percent. */
const MILESTONE_PERCENT = 10;

/** How far an operation is, for people who wait for it. */
export function progressOf(operation: Operation): ProgressUpdate {
  const { state, steps } = operation;
  const doneCount = steps.filter((step) => step.state === 'done').length;
  if (state === 'succeeded') return settled(1, 'done');
  if (state === 'unwinding') return settled(partOf(doneCount, steps.length), unwindingText(steps));
  // What waits for something other than a worker says so itself.
  if (state === 'queued') return settled(0, operation.progress?.phase ?? 'waiting for a worker');
  if (state !== 'running') return settled(partOf(doneCount, steps.length), state);
  const at = steps.findIndex((step) => step.state !== 'done');
  const step = steps[at];
  if (step === undefined) return settled(1, 'finishing');
  const head = `step ${at + 1} of ${steps.length}, ${step.name}${attemptText(step)}`;
  // Progress is written a moment after the step; that of the step before would only confuse.
  const isStale = steps.some((other) => other !== step && other.name === operation.progress?.phase);
  const progress = isStale ? null : operation.progress;
  const bytes = bytesFraction(progress);
  const details = progress === null ? '' : progressText(progress, bytes, step.name);
  return {
    fraction: (doneCount + (bytes ?? 0)) / steps.length,
    text: details === '' ? head : `${head}: ${details}`,
    milestone: `${head} ${progress?.phase} ${bytes === null ? '' : Math.floor((bytes * PERCENT) / MILESTONE_PERCENT)}`,
  };
}

const settled = (fraction: number, text: string): ProgressUpdate => ({ fraction, text, milestone: text });
const partOf = (done: number, total: number): number => (total === 0 ? 0 : done / total);

const attemptText = ({ attempt, error }: Step): string =>
  attempt <= 1 ? '' : ` (attempt ${attempt}${error === null ? '' : `; before: ${error.code}`})`;

function unwindingText(steps: readonly Step[]): string {
  const undoing = steps.find((step) => step.state === 'undoing');
  return undoing === undefined ? 'undoing what was done' : `undoing ${undoing.name}`;
}

const bytesFraction = (progress: Progress | null): number | null =>
  progress === null || progress.doneBytes === null || progress.totalBytes === null || progress.totalBytes === 0
    ? null
    : Math.min(1, progress.doneBytes / progress.totalBytes);

function progressText(progress: Progress, fraction: number | null, stepName: string): string {
  const phase = progress.phase === stepName ? '' : progress.phase;
  if (fraction === null) return phase;
  const { doneBytes, totalBytes, bytesPerSecond, etaSeconds } = progress;
  return [
    `${phase} ${Math.floor(fraction * PERCENT)}% of ${formatByteSize(totalBytes ?? doneBytes)}`.trimStart(),
    ...(bytesPerSecond === null ? [] : [`${formatByteSize(bytesPerSecond)}/s`]),
    ...(etaSeconds === null ? [] : [`${etaSeconds} s left`]),
  ].join(', ');
}
