import type { Operation } from '@kvorum/client';
import { progressOf } from '../../operation-progress.js';
import type { Column, Field } from '../../print-table.js';

export const OPERATION_COLUMNS: readonly Column<Operation>[] = [
  { title: 'ID', of: (operation) => operation.id },
  { title: 'KIND', of: (operation) => operation.kind },
  { title: 'STATE', of: (operation) => operation.state },
  { title: 'RESOURCE', of: (operation) => operation.resourceId },
  { title: 'CREATED', of: (operation) => operation.createdAt },
];

export const describeOperation = (operation: Operation): readonly Field[] => [
  ['id', operation.id],
  ['kind', operation.kind],
  [operation.resourceKind, operation.resourceId],
  ['state', operation.state],
  ['progress', progressOf(operation).text],
  ...operation.steps.map((step) => [`step ${step.index + 1}, ${step.name}`, stepText(step)] as const),
  ['may be cancelled', operation.isCancellable],
  ['created by', operation.createdBy],
  ['created', operation.createdAt],
  ['finished', operation.finishedAt],
  ['time limit', operation.deadlineAt],
  ...(operation.error === null ? [] : [['failure', `${operation.error.code}: ${operation.error.message}`] as const]),
];

const stepText = ({ state, attempt, canUndo, error }: Operation['steps'][number]): string =>
  [
    state,
    ...(attempt > 1 ? [`attempt ${attempt}`] : []),
    ...(canUndo ? [] : ['cannot be undone']),
    ...(error === null ? [] : [`${error.code}: ${error.message}`]),
  ].join(', ');
