import { GIB, MIB, TIB } from '@kvorum/schema';

const UNITS = [
  [TIB, 'TiB'],
  [GIB, 'GiB'],
  [MIB, 'MiB'],
] as const;
/** Two decimals. */
const PRECISION = 100;

/** "1.5 GiB". Rounds to two decimals in the direction asked for. */
export function formatBytes(bytes: number, rounding: 'down' | 'up'): string {
  const [size, unit] = UNITS.find(([unitBytes]) => bytes >= unitBytes) ?? [MIB, 'MiB'];
  const scaled = (bytes / size) * PRECISION;
  return `${(rounding === 'down' ? Math.floor(scaled) : Math.ceil(scaled)) / PRECISION} ${unit}`;
}
