import { MIB } from '@kvorum/schema';

interface Party {
  readonly shares: number;
  readonly bytesMax: number;
}

/**
 * Divides an amount: whole groups of equal shares one after the other, and within the last one in proportion to what each
 * could move, in whole MiB rounded up, so that an amount above nothing always moves somebody. Who is left out is not in the answer.
 */
export function shareOut<Someone extends Party>(
  parties: readonly Someone[],
  amountBytes: number,
  order: 'fewest shares first' | 'most shares first',
): ReadonlyMap<Someone, number> {
  const sign = order === 'fewest shares first' ? 1 : -1;
  const ordered = [...parties].sort((a, b) => sign * (a.shares - b.shares));
  const moved = new Map<Someone, number>();
  let leftBytes = amountBytes;
  for (let first = 0; first < ordered.length && leftBytes > 0; ) {
    const shares = ordered[first]?.shares;
    const group = ordered.filter((party) => party.shares === shares);
    const groupBytes = group.reduce((sum, { bytesMax }) => sum + bytesMax, 0);
    const part = Math.min(1, leftBytes / groupBytes);
    for (const party of group) {
      const bytes = Math.min(party.bytesMax, Math.ceil((party.bytesMax * part) / MIB) * MIB, mibOf(leftBytes));
      if (bytes > 0) moved.set(party, bytes);
      leftBytes -= bytes;
    }
    first += group.length;
  }
  return moved;
}

/** Up to the next whole MiB; nothing when nothing is left. */
const mibOf = (bytes: number): number => Math.max(0, Math.ceil(bytes / MIB)) * MIB;
