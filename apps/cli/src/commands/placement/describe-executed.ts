import type { Operation } from '@kvorum/client';
import type { Field } from '../../print-table.js';

export const describeExecuted = ({ id, kind, state, progress }: Operation): readonly Field[] => [
  ['operation', id],
  ['kind', kind],
  ['state', state],
  ['done', progress?.phase ?? 'nothing was to be moved'],
];
