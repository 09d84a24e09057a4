/** Sets of k hosts that a group can lose; each is tried. A larger group is to be split. */
export const LOSS_SET_COUNT_MAX = 5000;

export function lossSetCount(hostCount: number, lostCount: number): number {
  let count = 1;
  for (let at = 0; at < lostCount; at += 1) count = (count * (hostCount - at)) / (at + 1);
  return count;
}

export const firstLoss = (lostCount: number): number[] => Array.from({ length: lostCount }, (_, at) => at);

/** Makes of a set of ascending places below `end` the next one, in place; false: it was the last. */
export function nextLoss(lost: number[], end: number): boolean {
  for (let at = lost.length - 1; at >= 0; at -= 1) {
    const place = lost[at] as number;
    if (place >= end - (lost.length - at)) continue;
    for (let later = at; later < lost.length; later += 1) lost[later] = place + 1 + later - at;
    return true;
  }
  return false;
}
