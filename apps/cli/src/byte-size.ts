import { InvalidArgumentError } from 'commander';

const KIB = 1024;
const UNIT_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KiB: KIB,
  MiB: KIB ** 2,
  GiB: KIB ** 3,
  TiB: KIB ** 4,
};
const DESCENDING = ['TiB', 'GiB', 'MiB', 'KiB'] as const;

/** Bytes of "2GiB", "512 MiB" or a plain number of bytes. "2GB" and "2G" are refused: they mean two different sizes. */
export function parseByteSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(text.trim());
  const unitBytes = UNIT_BYTES[match?.[2] ?? '?'];
  const bytes = Number(match?.[1]) * (unitBytes ?? Number.NaN);
  if (!Number.isSafeInteger(bytes)) {
    throw new InvalidArgumentError('Give a size such as 512MiB, 2GiB or 1TiB (units of 1024), or a number of bytes.');
  }
  return bytes;
}

/** "1.5 GiB"; two decimals at most. */
export function formatByteSize(bytes: number | null): string {
  if (bytes === null) return '-';
  const unit = DESCENDING.find((name) => bytes >= (UNIT_BYTES[name] ?? Number.POSITIVE_INFINITY)) ?? 'B';
  return `${Number((bytes / (UNIT_BYTES[unit] ?? 1)).toFixed(2))} ${unit}`;
}
