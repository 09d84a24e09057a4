/**
 * A set of hosts: bit `index & 31` of word `index >>> 5`. Rules that do not depend on amounts are sets that are kept with the
 * fleet, so that a rule costs a few hundred word operations for 10,000 hosts. Signed words: unsigned ones above 2^31 are not
 * small integers for V8, and boxed.
 */
export type HostSet = Int32Array;

export const hostSetOf = (hostCount: number): HostSet => new Int32Array((hostCount + 31) >>> 5);

export const hasHost = (set: HostSet, index: number): boolean => (((set[index >>> 5] ?? 0) >>> (index & 31)) & 1) === 1;

export function addHost(set: HostSet, index: number): void {
  set[index >>> 5] = (set[index >>> 5] ?? 0) | (1 << (index & 31));
}

export function dropHost(set: HostSet, index: number): void {
  set[index >>> 5] = (set[index >>> 5] ?? 0) & ~(1 << (index & 31));
}

export function fillHosts(set: HostSet, hostCount: number): void {
  set.fill(-1);
  const rest = hostCount & 31;
  if (rest > 0) set[set.length - 1] = (1 << rest) - 1;
}

/** Takes out of `set` what is not in `kept`. */
export function keepHosts(set: HostSet, kept: HostSet): void {
  for (let word = 0; word < set.length; word += 1) set[word] = (set[word] as number) & (kept[word] as number);
}

/** Takes out of `set` what is in `dropped`. */
export function dropHosts(set: HostSet, dropped: HostSet): void {
  for (let word = 0; word < set.length; word += 1) set[word] = (set[word] as number) & ~(dropped[word] as number);
}

export function addHosts(set: HostSet, added: HostSet): void {
  for (let word = 0; word < set.length; word += 1) set[word] = (set[word] as number) | (added[word] as number);
}

export function countHosts(set: HostSet): number {
  let count = 0;
  for (let word = 0; word < set.length; word += 1) {
    // Bits counted in pairs, fours, eights, then summed by the multiplication (Warren, "Hacker's Delight", 5-1).
    let bits = set[word] as number;
    bits -= (bits >>> 1) & 0x55555555;
    bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
    count += Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }
  return count;
}

/** Writes the members in ascending order to `into` and returns how many there are. */
export function listHosts(set: HostSet, into: Int32Array): number {
  let count = 0;
  for (let word = 0; word < set.length; word += 1) {
    let bits = set[word] as number;
    while (bits !== 0) {
      into[count] = (word << 5) + 31 - Math.clz32(bits & -bits);
      count += 1;
      bits &= bits - 1;
    }
  }
  return count;
}

export const membersOf = (set: HostSet): Int32Array => {
  const members = new Int32Array(countHosts(set));
  listHosts(set, members);
  return members;
};
