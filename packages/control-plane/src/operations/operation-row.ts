import type {
  Operation,
  OperationId,
  OperationKind,
  OperationState,
  Progress,
  ProjectId,
  StepState,
  StoredError,
} from '@kvorum/schema';
import type { Prisma } from '../database/generated/client.js';

/** Steps without their outputs: those are for the runner alone. */
export const OPERATION_WITH_STEPS = {
  omit: { input: true },
  include: { steps: { orderBy: { index: 'asc' }, omit: { output: true } } },
} as const satisfies Prisma.OperationDefaultArgs;

export type OperationWithSteps = Prisma.OperationGetPayload<typeof OPERATION_WITH_STEPS>;

/** From the moment a step that cannot be undone has begun, an operation only goes forward. */
export const hasIrreversibleBegun = (
  steps: readonly { readonly canUndo: boolean; readonly state: string }[],
): boolean => steps.some((step) => !step.canUndo && step.state !== 'pending');

const isCancellable = (row: OperationWithSteps): boolean =>
  (row.state === 'queued' || row.state === 'running') &&
  row.cancelRequestedAt === null &&
  !hasIrreversibleBegun(row.steps);

const toTime = (at: Date | null): string | null => at?.toISOString() ?? null;

/** The row as the API shows it. */
export const toOperation = (row: OperationWithSteps): Operation => ({
  id: row.id as OperationId,
  kind: row.kind as OperationKind,
  projectId: row.projectId as ProjectId | null,
  resourceKind: row.resourceKind as Operation['resourceKind'],
  resourceId: row.resourceId,
  state: row.state as OperationState,
  steps: row.steps.map((step) => ({
    index: step.index,
    name: step.name,
    state: step.state as StepState,
    attempt: step.attempt,
    canUndo: step.canUndo,
    error: step.error as StoredError | null,
    startedAt: toTime(step.startedAt),
    finishedAt: toTime(step.finishedAt),
  })),
  progress: row.progress as Progress | null,
  isCancellable: isCancellable(row),
  error: row.error as StoredError | null,
  createdBy: row.createdBy,
  createdAt: row.createdAt.toISOString(),
  startedAt: toTime(row.startedAt),
  finishedAt: toTime(row.finishedAt),
  deadlineAt: row.deadlineAt.toISOString(),
});
