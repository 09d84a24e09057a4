import type { NumaPlan, PlacedVm } from '../request/placement-request.js';
import { totalOfAmounts } from '../scores/score-amounts.js';
import { type AmountColumns, type Amounts, amountColumns, DIMENSIONS, type Dimension, NO_AMOUNTS } from './amounts.js';
import { type DomainLevel, FaultDomains, type OpenDomains } from './fault-domains.js';
import { FleetDigest } from './fleet-digest.js';
import {
  byHostId,
  type HostGroup,
  type HostRow,
  isSameShape,
  overcommitOf,
  type PlacementGroup,
  POLICIES,
} from './host-row.js';
import { addHost, dropHost, type HostSet } from './host-set.js';
import { LabelSets, labelsOf } from './labels.js';
import { countNuma, type NumaColumns, nodesOf, numaColumnsOf, writeNuma } from './numa-columns.js';
import { PlacedVms } from './placed-vms.js';
import { setPerDimension } from './set-per-dimension.js';
import { takenAmounts } from './taken-amounts.js';

export interface FleetFacts {
  readonly hostGroups?: readonly HostGroup[];
  readonly placementGroups?: readonly PlacementGroup[];
  /** Of the VMs placed already; what they take is in their hosts' `reserved`. */
  readonly vms?: readonly PlacedVm[];
}

/**
 * All hosts, one array per fact: a scan of 10,000 hosts then touches a few hundred kilobytes of plain numbers instead of
 * 10,000 objects. Hosts are in the order of their ids, so that the order in which rows came never shows in a decision.
 *
 * Changes are written in place, so that a feed of changes costs what has changed: `applyHostRow`, `applyVm`, `forgetVm`.
 * Only a host that comes or goes, or has other domains or NUMA nodes than before, makes the columns anew.
 */
export class Fleet {
  hostCount = 0;
  hostIds: readonly string[] = [];
  names: readonly string[] = [];
  /** With overcommit. */
  capacity: AmountColumns = amountColumns(0);
  /** Capacity minus reservations; below zero where a host has shrunk under its VMs. */
  free: AmountColumns = amountColumns(0);
  /** 1 / capacity, and 0 where there is none: scores multiply, for a division costs several times as much. */
  perCapacity: AmountColumns = amountColumns(0);
  /** Of all hosts there were; never below that of any host now. */
  perCapacityMax: Record<Dimension, number> = { ...NO_AMOUNTS };
  /** Per host the total of a request for nothing: hosts that cannot be the best are passed over by it. */
  emptyTotals = new Float64Array(0);
  /** Hosts that have promised more of a dimension than they have. */
  overdrawn: Record<Dimension, HostSet> = setPerDimension(0);
  /** Per host the index of its group's policy in POLICIES. */
  policies = new Uint8Array(0);
  labels = new LabelSets(0);
  numa: NumaColumns = numaColumnsOf([]);
  readonly vms = new PlacedVms();
  /** Some group of hosts keeps room for lost ones. */
  hasHaReserve = false;
  readonly #hostGroups = new Map<string, HostGroup>();
  readonly #placementGroups = new Map<string, readonly PlacementGroup[]>();
  /** Grows with each change; what was derived from the fleet at another version may be out of date. */
  version = 0;
  /** The same per host. */
  hostVersions = new Uint32Array(0);
  #rows: HostRow[] = [];
  #indexOf = new Map<string, number>();
  #domains = new FaultDomains([]);
  readonly #digest = new FleetDigest(this);

  constructor(rows: readonly HostRow[], facts: FleetFacts = {}) {
    for (const group of facts.hostGroups ?? []) this.#hostGroups.set(group.hostGroupId, group);
    this.#noteReserves();
    for (const group of facts.placementGroups ?? [])
      this.#placementGroups.set(group.groupId, [...this.rulesOf(group.groupId), group]);
    this.#build(rows.toSorted(byHostId));
    for (const vm of facts.vms ?? []) this.vms.add(vm);
  }

  /** -1: no such host. */
  indexOf(hostId: string): number {
    return this.#indexOf.get(hostId) ?? -1;
  }

  rowOf(index: number): HostRow {
    return this.#rows[index] as HostRow;
  }

  rows(): readonly HostRow[] {
    return this.#rows;
  }

  get hostGroups(): ReadonlyMap<string, HostGroup> {
    return this.#hostGroups;
  }

  get placementGroups(): ReadonlyMap<string, readonly PlacementGroup[]> {
    return this.#placementGroups;
  }

  /** Empty for a group that is not known. */
  rulesOf(groupId: string): readonly PlacementGroup[] {
    return this.#placementGroups.get(groupId) ?? [];
  }

  domains(level: string): DomainLevel {
    return this.#domains.of(level);
  }

  openDomains(level: string): OpenDomains {
    return this.#domains.open(level, this.labels);
  }

  /** Two fleets with the same digest decide alike. Counts what changed since it was last asked for. */
  digest(): string {
    return this.#digest.value();
  }

  /** A host as it is now, new or changed. */
  applyHostRow(row: HostRow): void {
    const index = this.indexOf(row.hostId);
    const before = this.#rows[index];
    if (before === undefined || !isSameShape(before, row)) {
      const others = this.#rows.filter(({ hostId }) => hostId !== row.hostId);
      this.#build([...others, row].sort(byHostId));
      return;
    }
    this.#rows[index] = row;
    this.#writeLabels(index, labelsOf(row), labelsOf(before));
    this.#writeAmounts(index, row);
    writeNuma(this.numa, index, row);
    this.#touch(index);
  }

  removeHost(hostId: string): void {
    if (this.indexOf(hostId) >= 0) this.#build(this.#rows.filter((row) => row.hostId !== hostId));
  }

  /** A group of hosts as it is now, new or changed. Which hosts are in it, their rows say. */
  applyHostGroup(group: HostGroup): void {
    this.#hostGroups.set(group.hostGroupId, group);
    this.#noteReserves();
    for (const [index, row] of this.#rows.entries()) if (row.hostGroupId === group.hostGroupId) this.#notePolicy(index);
    this.#noteGroups();
  }

  /** For a group that no host is in. */
  forgetHostGroup(hostGroupId: string): void {
    this.#hostGroups.delete(hostGroupId);
    this.#noteReserves();
    this.#noteGroups();
  }

  /** All rules of a group from now on. */
  applyPlacementGroup(groupId: string, rules: readonly PlacementGroup[]): void {
    this.#placementGroups.set(groupId, rules);
    this.#noteGroups();
  }

  forgetPlacementGroup(groupId: string): void {
    this.#placementGroups.delete(groupId);
    this.#noteGroups();
  }

  #noteGroups(): void {
    this.version += 1;
    this.#digest.forgetGroups();
  }

  #noteReserves(): void {
    this.hasHaReserve = [...this.#hostGroups.values()].some(({ haReserveHostCount }) => haReserveHostCount > 0);
  }

  /** A VM is where it is said to be. What it takes is in its host's row, and not counted here. */
  applyVm(vm: PlacedVm): void {
    const before = this.vms.get(vm.vmId);
    this.vms.add(vm);
    for (const { hostId } of before === undefined ? [vm] : [before, vm]) this.#touch(this.indexOf(hostId));
  }

  forgetVm(vmId: string): void {
    const vm = this.vms.remove(vmId);
    if (vm !== undefined) this.#touch(this.indexOf(vm.hostId));
  }

  /** Puts a VM on its host and takes what it needs there: for plans, and for claims that no row holds yet. */
  occupy(vm: PlacedVm): void {
    this.vms.add(vm);
    this.#count(vm, -1);
  }

  /** The reverse of `occupy`. */
  vacate(vmId: string): PlacedVm | undefined {
    const vm = this.vms.remove(vmId);
    if (vm !== undefined) this.#count(vm, 1);
    return vm;
  }

  /** What the NUMA nodes of a host have free now; undefined: it tells of none. May be below zero. */
  numaNodesOf(index: number): HostRow['numaNodes'] {
    const nodes = this.rowOf(index).numaNodes;
    return nodes && nodesOf(this.numa, index);
  }

  /** Takes (or with sign 1 gives back) amounts, and what of them lies on which node. Hosts that are not there are passed over. */
  reserve(hostId: string, amounts: Amounts, sign: -1 | 1 = -1, plan: NumaPlan = []): void {
    const index = this.indexOf(hostId);
    if (index < 0) return;
    for (const dimension of DIMENSIONS) this.#add(dimension, index, sign * amounts[dimension]);
    countNuma(this.numa, index, plan, sign);
    this.#noteTotal(index);
    this.#touch(index);
  }

  #count(vm: PlacedVm, sign: -1 | 1): void {
    const index = this.indexOf(vm.hostId);
    if (index < 0) return;
    const taken = takenAmounts(vm.request, this.numa.threadsPerCore[index] as number);
    for (const dimension of DIMENSIONS) this.#add(dimension, index, sign * taken[dimension]);
    if (vm.numa !== null) countNuma(this.numa, index, vm.numa, sign);
    this.#noteTotal(index);
    this.#touch(index);
  }

  #add(dimension: Dimension, index: number, amount: number): void {
    const column = this.free[dimension];
    column[index] = (column[index] as number) + amount;
    this.#noteOverdrawn(dimension, index);
  }

  #noteOverdrawn(dimension: Dimension, index: number): void {
    if ((this.free[dimension][index] as number) < 0) addHost(this.overdrawn[dimension], index);
    else dropHost(this.overdrawn[dimension], index);
  }

  #noteTotal(index: number): void {
    const share = (dimension: Dimension): number =>
      (this.free[dimension][index] as number) * (this.perCapacity[dimension][index] as number);
    this.emptyTotals[index] = totalOfAmounts(
      (this.#rows[index] as HostRow).accelerator === 'kvm',
      this.policies[index] as number,
      share('vcpuCount'),
      share('memoryBytes'),
      share('diskBytes'),
    );
  }

  #touch(index: number): void {
    this.version += 1;
    if (index < 0) return;
    this.hostVersions[index] = (this.hostVersions[index] as number) + 1;
    this.#digest.forget(index);
  }

  #build(rows: HostRow[]): void {
    const length = rows.length;
    this.#rows = rows;
    this.hostCount = length;
    this.hostIds = rows.map((row) => row.hostId);
    this.names = rows.map((row) => row.name);
    this.#indexOf = new Map(this.hostIds.map((hostId, index) => [hostId, index]));
    this.capacity = amountColumns(length);
    this.free = amountColumns(length);
    this.perCapacity = amountColumns(length);
    this.overdrawn = setPerDimension(length);
    this.perCapacityMax = { ...NO_AMOUNTS };
    this.emptyTotals = new Float64Array(length);
    this.policies = new Uint8Array(length);
    this.hostVersions = new Uint32Array(length);
    this.labels = new LabelSets(length);
    this.numa = numaColumnsOf(rows);
    this.#domains = new FaultDomains(rows);
    for (const [index, row] of rows.entries()) {
      if (row.hostId === rows[index - 1]?.hostId) throw new RangeError(`host ${row.hostId} is in the fleet twice`);
      this.#writeLabels(index, labelsOf(row), []);
      this.#writeAmounts(index, row);
    }
    this.version += 1;
    this.#digest.reset(length);
  }

  /** Most changes of a row are of amounts: then what was derived from labels stays good. */
  #writeLabels(index: number, labels: readonly string[], before: readonly string[]): void {
    if (labels.length === before.length && labels.every((label, at) => label === before[at])) return;
    for (const label of before) this.labels.unset(index, label);
    for (const label of labels) this.labels.set(index, label);
  }

  #writeAmounts(index: number, row: HostRow): void {
    for (const dimension of DIMENSIONS) {
      const capacity = Math.floor(row.capacity[dimension] * overcommitOf(row, dimension));
      this.capacity[dimension][index] = capacity;
      const perCapacity = capacity > 0 ? 1 / capacity : 0;
      this.perCapacity[dimension][index] = perCapacity;
      this.perCapacityMax[dimension] = Math.max(this.perCapacityMax[dimension], perCapacity);
      this.free[dimension][index] = capacity - row.reserved[dimension];
      this.#noteOverdrawn(dimension, index);
    }
    this.#notePolicy(index);
  }

  #notePolicy(index: number): void {
    const { hostGroupId = '' } = this.#rows[index] as HostRow;
    this.policies[index] = POLICIES.indexOf(this.#hostGroups.get(hostGroupId)?.policy ?? 'pack');
    this.#noteTotal(index);
  }
}

export const fleetOf = (rows: readonly HostRow[], facts: FleetFacts = {}): Fleet => new Fleet(rows, facts);

/** One number of a column. Indexes come from loops below `hostCount`, which is the length of every column. */
export const cell = (column: Float64Array | Uint8Array | Int32Array, index: number): number => column[index] as number;
