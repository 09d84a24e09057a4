import type { FloatingRange } from '@kvorum/client';
import type { Column, Field } from '../../print-table.js';

export const FLOATING_RANGE_COLUMNS: readonly Column<FloatingRange>[] = [
  { title: 'NAME', of: (range) => range.name },
  { title: 'FIRST', of: (range) => range.firstAddress },
  { title: 'LAST', of: (range) => range.lastAddress },
  { title: 'TAKEN', of: (range) => `${range.allocatedCount} of ${range.addressCount}` },
  { title: 'ID', of: (range) => range.id },
];

export const describeFloatingRange = (range: FloatingRange): readonly Field[] => [
  ['name', range.name],
  ['id', range.id],
  ['first', range.firstAddress],
  ['last', range.lastAddress],
  ['taken', `${range.allocatedCount} of ${range.addressCount}`],
  ['created', range.createdAt],
];
