import type { OwnToken } from '@kvorum/client';
import type { Field } from '../../print-table.js';

export const describeOwnToken =
  (baseUrl: string) =>
  (own: OwnToken): readonly Field[] => [
    ['control plane', baseUrl],
    ['token', own.name],
    ['role', own.role],
    ['project', own.projectId ?? 'all'],
  ];
