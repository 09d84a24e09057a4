import { type AmountColumns, DIMENSIONS } from './amounts.js';
import { Digest, digestOf, hexOf } from './digest.js';
import type { HostGroup, HostRow, PlacementGroup } from './host-row.js';
import { labelsOf } from './labels.js';
import type { NumaColumns } from './numa-columns.js';
import type { PlacedVms } from './placed-vms.js';

/** What a fleet shows of itself. */
export interface Digested {
  readonly capacity: AmountColumns;
  readonly free: AmountColumns;
  readonly numa: NumaColumns;
  readonly vms: PlacedVms;
  readonly hostGroups: ReadonlyMap<string, HostGroup>;
  readonly placementGroups: ReadonlyMap<string, readonly PlacementGroup[]>;
  rowOf(index: number): HostRow;
}

/**
 * The digest of a fleet as the sum of those of its hosts, so that a change of one host costs one host. Everything that a
 * decision can depend on is in it: amounts, labels, NUMA nodes, VMs with their requests, groups.
 */
export class FleetDigest {
  readonly #fleet: Digested;
  #highs = new Uint32Array(0);
  #lows = new Uint32Array(0);
  #high = 0;
  #low = 0;
  #stale: number[] = [];
  #isStale = new Uint8Array(0);
  #groups: string | undefined;

  constructor(fleet: Digested) {
    this.#fleet = fleet;
  }

  reset(hostCount: number): void {
    this.#highs = new Uint32Array(hostCount);
    this.#lows = new Uint32Array(hostCount);
    this.#high = 0;
    this.#low = 0;
    this.#isStale = new Uint8Array(hostCount).fill(1);
    this.#stale = Array.from({ length: hostCount }, (_, index) => index);
  }

  /** The host has changed. */
  forget(index: number): void {
    if (this.#isStale[index] === 1) return;
    this.#isStale[index] = 1;
    this.#stale.push(index);
  }

  forgetGroups(): void {
    this.#groups = undefined;
  }

  value(): string {
    for (const index of this.#stale) this.#count(index);
    this.#stale = [];
    this.#groups ??= digestOf([inOrder(this.#fleet.hostGroups), inOrder(this.#fleet.placementGroups)]);
    return hexOf(this.#high) + hexOf(this.#low) + this.#groups;
  }

  #count(index: number): void {
    const digest = digestOfHost(this.#fleet, index);
    this.#high = (this.#high - (this.#highs[index] as number) + digest.high) >>> 0;
    this.#low = (this.#low - (this.#lows[index] as number) + digest.low) >>> 0;
    this.#highs[index] = digest.high;
    this.#lows[index] = digest.low;
    this.#isStale[index] = 0;
  }
}

/** Whatever the order in which groups were told. */
const inOrder = <Group>(groups: ReadonlyMap<string, Group>): Group[] =>
  [...groups].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, group]) => group);

function digestOfHost(fleet: Digested, index: number): Digest {
  const digest = new Digest();
  const row = fleet.rowOf(index);
  digest.addText(row.hostId);
  digest.addText(row.name);
  for (const label of labelsOf(row)) digest.addText(label);
  for (const dimension of DIMENSIONS) {
    digest.addNumber(fleet.capacity[dimension][index] as number);
    digest.addNumber(fleet.free[dimension][index] as number);
  }
  const { numa } = fleet;
  for (let node = numa.firstNode[index] as number; node < (numa.firstNode[index + 1] as number); node += 1) {
    digest.addNumber(numa.memoryBytes[node] as number);
    digest.addNumber(numa.cpuCount[node] as number);
    digest.addNumber(numa.wholeCoreCount[node] as number);
    digest.addNumber(numa.hugePages2MibBytes[node] as number);
    digest.addNumber(numa.hugePages1GibBytes[node] as number);
  }
  for (const vm of fleet.vms.onHost(row.hostId)) digest.addText(digestOf(vm));
  return digest;
}
