import { InvalidArgumentError } from 'commander';

/** Of networks, units of 1000, as switches and providers give them. */
const UNIT_BITS: Readonly<Record<string, number>> = { bit: 1, kbit: 1000, Mbit: 1000 ** 2, Gbit: 1000 ** 3 };
const DESCENDING = ['Gbit', 'Mbit', 'kbit'] as const;

/** Bits per second of "100Mbit" or "2.5Gbit". A number alone is refused: it may be meant in any unit. */
export function parseBitRate(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([A-Za-z]+)$/.exec(text.trim());
  const bits = Number(match?.[1]) * (UNIT_BITS[match?.[2] ?? ''] ?? Number.NaN);
  if (!Number.isSafeInteger(bits)) {
    throw new InvalidArgumentError('Give bits per second such as 100Mbit or 2.5Gbit (units of 1000).');
  }
  return bits;
}

/** "2.5 Gbit/s". */
export function formatBitRate(bitsPerSecond: number): string {
  const unit = DESCENDING.find((name) => bitsPerSecond >= (UNIT_BITS[name] ?? Number.POSITIVE_INFINITY)) ?? 'bit';
  return `${Number((bitsPerSecond / (UNIT_BITS[unit] ?? 1)).toFixed(2))} ${unit}/s`;
}
