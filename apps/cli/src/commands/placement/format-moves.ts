import type { DrainPlan } from '@kvorum/client';
import { formatByteSize } from '../../byte-size.js';
import { formatTable } from '../../print-table.js';

/** Moves with the step they belong to: those of one step are done together. */
export function formatMoves(
  { steps, cost }: Pick<DrainPlan, 'steps' | 'cost'>,
  head: (text: string) => string,
): string {
  if (steps.length === 0) return '';
  const moves = steps.flatMap(({ moves: ofStep }, index) => ofStep.map((move) => ({ ...move, step: index + 1 })));
  const table = formatTable(
    moves,
    [
      { title: 'STEP', of: ({ step }) => step },
      { title: 'VM', of: ({ vmName }) => vmName },
      { title: 'FROM', of: ({ fromHostName }) => fromHostName },
      { title: 'TO', of: ({ toHostName }) => toHostName },
      { title: 'HOW', of: ({ how }) => how },
      { title: 'CARRIES', of: ({ memoryBytes, diskBytes }) => formatByteSize(memoryBytes + diskBytes) },
      { title: 'WHY', of: ({ reason }) => reason },
    ],
    head,
  );
  return `${table}\n${cost.moveCount} moves, ${formatByteSize(cost.memoryBytes + cost.diskBytes)} to carry\n`;
}
