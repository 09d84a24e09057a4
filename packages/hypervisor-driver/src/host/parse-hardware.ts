import { KIB, MIB } from '@kvorum/schema';

/** A cache's size as in cache/index0/size: "32K" or "8M" (drivers/base/cacheinfo.c). Null for anything else. */
export function parseCacheSize(text: string): number | null {
  const match = /^(\d{1,9})([KM])$/.exec(text);
  if (match === null) return null;
  return Number(match[1]) * (match[2] === 'M' ? MIB : KIB);
}

const CACHE_TYPES: Readonly<Record<string, 'data' | 'instruction' | 'unified'>> = {
  Data: 'data',
  Instruction: 'instruction',
  Unified: 'unified',
};

/** cache/index0/type: "Data", "Instruction", "Unified" (drivers/base/cacheinfo.c). Null for anything else. */
export const parseCacheType = (text: string): 'data' | 'instruction' | 'unified' | null =>
  Object.hasOwn(CACHE_TYPES, text) ? (CACHE_TYPES[text] ?? null) : null;

/** A module parameter that is a switch: bool shows as Y or N, int as 1 or 0. Null when it is neither. */
export function parseSwitch(text: string | null): boolean | null {
  if (text === 'Y' || text === '1') return true;
  return text === 'N' || text === '0' ? false : null;
}

/** A row of NUMA distances, as in node0/distance: "10 21". Null when it is none. */
export function parseDistances(text: string): number[] | null {
  return /^\d{1,3}( \d{1,3})*$/.test(text) ? text.split(' ').map(Number) : null;
}
