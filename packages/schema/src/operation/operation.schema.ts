import { z } from 'zod';
import { StoredErrorShape } from '../errors/problem.schema.js';
import { OperationId, ProjectId } from '../ids.js';
import { PageQuery } from '../page.schema.js';

/**
 * queued -> running -> succeeded
 *              |-> unwinding -> failed | cancelled
 *              '-> stuck (waits for a person: resume or unwind)
 */
export const OPERATION_STATES = [
  'queued',
  'running',
  'unwinding',
  'succeeded',
  'failed',
  'cancelled',
  'stuck',
] as const;
export const OperationState = z.enum(OPERATION_STATES).meta({ id: 'OperationState' });
export type OperationState = z.infer<typeof OperationState>;

/** States a worker may take up. */
export const ACTIVE_OPERATION_STATES = ['queued', 'running', 'unwinding'] as const satisfies readonly OperationState[];
/** States in which nothing more will happen by itself. */
export const FINAL_OPERATION_STATES = ['succeeded', 'failed', 'cancelled'] as const satisfies readonly OperationState[];
export const isFinalOperationState = (state: OperationState): boolean =>
  (FINAL_OPERATION_STATES as readonly OperationState[]).includes(state);

export const OPERATION_KINDS = [
  'vm.create',
  'vm.start',
  'vm.stop',
  'vm.reboot',
  'vm.reset',
  'vm.pause',
  'vm.resume',
  'vm.update',
  'vm.move',
  'vm.publish',
  'vm.delete',
  'vm.freeze-template',
  'vm-template.delete',
  'image.download',
  'volume.create',
  'volume.grow',
  'volume.delete',
  'volume.restore',
  'volume.purge',
  'volume.revert',
  'volume-snapshot.create',
  'volume-snapshot.delete',
  'host.drain',
  'fleet.rebalance',
] as const;
export const OperationKind = z.enum(OPERATION_KINDS).meta({ id: 'OperationKind' });
export type OperationKind = z.infer<typeof OperationKind>;

export const StepState = z
  .enum(['pending', 'running', 'done', 'failed', 'undoing', 'undone'])
  .meta({ id: 'StepState' });
export type StepState = z.infer<typeof StepState>;

export const Progress = z
  .object({
    phase: z.string(),
    doneBytes: z.int().nullable(),
    totalBytes: z.int().nullable(),
    bytesPerSecond: z.int().nullable(),
    etaSeconds: z.int().nullable(),
  })
  .meta({ id: 'Progress' });
export type Progress = z.infer<typeof Progress>;

export const OperationStep = z
  .object({
    index: z.int(),
    name: z.string(),
    state: StepState,
    attempt: z.int(),
    canUndo: z.boolean(),
    error: StoredErrorShape.nullable(),
    startedAt: z.iso.datetime().nullable(),
    finishedAt: z.iso.datetime().nullable(),
  })
  .meta({ id: 'OperationStep' });

export const Operation = z
  .object({
    id: OperationId,
    kind: OperationKind,
    projectId: ProjectId.nullable(),
    resourceKind: z.enum(['vm', 'image', 'host', 'site', 'volume', 'volume-snapshot', 'vm-template']),
    resourceId: z.string(),
    state: OperationState,
    steps: z.array(OperationStep),
    progress: Progress.nullable(),
    isCancellable: z.boolean(),
    error: StoredErrorShape.nullable(),
    createdBy: z.string(),
    createdAt: z.iso.datetime(),
    startedAt: z.iso.datetime().nullable(),
    finishedAt: z.iso.datetime().nullable(),
    deadlineAt: z.iso.datetime(),
  })
  .meta({ id: 'Operation' });
export type Operation = z.infer<typeof Operation>;

export const ListOperationsQuery = PageQuery.extend({
  projectId: ProjectId.optional(),
  state: OperationState.optional(),
  kind: OperationKind.optional(),
  resourceId: z.uuid().optional(),
});
export type ListOperationsQuery = z.infer<typeof ListOperationsQuery>;

/** Answer of every mutation that takes longer than a row: 202 with the operation to watch. */
export const AcceptedOperation = z
  .object({ operation: Operation, resourceId: z.string() })
  .meta({ id: 'AcceptedOperation' });
export type AcceptedOperation = z.infer<typeof AcceptedOperation>;
