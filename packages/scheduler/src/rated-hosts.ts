/**
 * Hosts, in ascending order, each with a total that it has at the most: what a pass over the fleet has found out, for the case
 * that a rule asked last refuses the best host. The next best one is then found without asking every score again.
 */
export class RatedHosts {
  /** The first `count` of both are what is known; written by the pass, without a call for each host. */
  readonly hosts: Int32Array;
  readonly totalMax: Float64Array;
  count = 0;

  constructor(hostCount: number) {
    this.hosts = new Int32Array(hostCount);
    this.totalMax = new Float64Array(hostCount);
  }

  drop(index: number): void {
    const at = this.hosts.subarray(0, this.count).indexOf(index);
    if (at >= 0) this.totalMax[at] = Number.NEGATIVE_INFINITY;
  }

  /** The host with the largest total, and of equals the first; -1: there is none. Asks only of hosts that could be the best. */
  best(totalOf: (index: number) => number, isAdmitted: (index: number) => boolean): number {
    let best = -1;
    let bestTotal = Number.NEGATIVE_INFINITY;
    for (let at = 0; at < this.count; at += 1) {
      if (!((this.totalMax[at] as number) > bestTotal)) continue;
      const index = this.hosts[at] as number;
      const total = totalOf(index);
      if (!(total > bestTotal)) continue;
      if (isAdmitted(index)) {
        best = index;
        bestTotal = total;
      } else this.totalMax[at] = Number.NEGATIVE_INFINITY;
    }
    return best;
  }
}
