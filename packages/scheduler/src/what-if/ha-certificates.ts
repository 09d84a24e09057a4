import { type Amounts, DIMENSIONS, type Dimension } from '../fleet/amounts.js';
import type { Fleet } from '../fleet/fleet.js';
import type { HostGroup } from '../fleet/host-row.js';
import { addHost, dropHost, type HostSet, hostSetOf, membersOf } from '../fleet/host-set.js';
import { LABEL } from '../fleet/labels.js';
import { takenAmounts } from '../fleet/taken-amounts.js';
import { type Trial, tried } from '../plan/trial.js';
import type { PlacedVm, PlacementRequest } from '../request/placement-request.js';
import { planNuma } from '../request/plan-numa.js';
import { largestFirst, recoverVm } from './recover-vms.js';

/** Sets of k hosts that a group can lose; each is tried. A larger group is to be split. */
export const LOSS_SET_COUNT_MAX = 5000;

/** Proof that a loss can be borne: where each VM of the lost hosts would go. */
interface Certificate {
  readonly targetOf: ReadonlyMap<string, number>;
  /** What the VMs would take, by target. */
  readonly loadOf: ReadonlyMap<number, Readonly<Record<Dimension, number>>>;
  /** Some VM is bound by NUMA nodes or groups, where sums prove nothing: good for one version of the fleet. */
  readonly goodForVersion: number | null;
}

const kept = new WeakMap<Fleet, Map<string, HaCertificates>>();

/** Proofs are kept with the fleet, and looked through again before they are used. */
export function haCertificatesOf(fleet: Fleet, group: HostGroup): HaCertificates {
  let ofFleet = kept.get(fleet);
  if (ofFleet === undefined) {
    ofFleet = new Map();
    kept.set(fleet, ofFleet);
  }
  let certificates = ofFleet.get(group.hostGroupId);
  if (certificates === undefined) {
    certificates = new HaCertificates(fleet, group);
    ofFleet.set(group.hostGroupId, certificates);
  }
  return certificates;
}

/** No VM has this id. */
const NEWCOMER_ID = '\u0000newcomer';

export class HaCertificates {
  readonly #fleet: Fleet;
  readonly #group: HostGroup;
  readonly #certificates = new Map<string, Certificate>();

  constructor(fleet: Fleet, group: HostGroup) {
    this.#fleet = fleet;
    this.#group = group;
  }

  /** Why the VM must not go to the host; null: nothing speaks against it. */
  objection(request: PlacementRequest, index: number): string | null {
    const fleet = this.#fleet;
    return tried(fleet, (trial) => {
      // The VM may be placed already, and would leave where it is.
      if (request.vmId !== undefined) trial.vacate(request.vmId);
      const numa = planNuma(fleet, index, request);
      trial.occupy({ vmId: NEWCOMER_ID, hostId: fleet.hostIds[index] as string, request, numa });
      return this.brokenLoss();
    });
  }

  /** A loss that could not be borne now, in words; null: every one could. */
  brokenLoss(): string | null {
    const fleet = this.#fleet;
    const { haReserveHostCount, hostGroupId } = this.#group;
    const hosts = membersOf(fleet.labels.of(LABEL.hostGroup(hostGroupId)));
    const count = combinationCount(hosts.length, haReserveHostCount);
    if (count > LOSS_SET_COUNT_MAX)
      return `group ${hostGroupId} has ${count} sets of ${haReserveHostCount} hosts to lose, more than the ${LOSS_SET_COUNT_MAX} that can be tried`;
    if (hosts.length <= haReserveHostCount) return `group ${hostGroupId} has no more hosts than it may lose`;
    for (const lost of combinations(hosts, haReserveHostCount)) {
      const stranded = this.#strandedBy(lost);
      if (stranded !== null) {
        const names = lost.map((host) => fleet.names[host]).join(' and ');
        return `if ${names} were lost, ${nameOf(stranded)} would find no place in host group ${hostGroupId}`;
      }
    }
    return null;
  }

  /** A VM that would find no place; null: all would. */
  #strandedBy(lost: readonly number[]): PlacedVm | null {
    const key = lost.map((index) => this.#fleet.hostIds[index]).join(' ');
    const before = this.#certificates.get(key);
    if (before !== undefined && this.#stillHolds(before, lost)) return null;
    const found = tried(this.#fleet, (trial) => this.#certify(trial, lost));
    if ('stranded' in found) {
      this.#certificates.delete(key);
      return found.stranded;
    }
    const version = found.isBoundByRules ? this.#fleet.version : null;
    this.#certificates.set(key, { ...found, goodForVersion: version });
    return null;
  }

  #haVms(lost: readonly number[]): PlacedVm[] {
    return lost
      .flatMap((index) => [...this.#fleet.vms.eachOnHost(this.#fleet.hostIds[index] as string)])
      .filter((vm) => vm.request.isHighlyAvailable === true);
  }

  #stillHolds({ targetOf, loadOf, goodForVersion }: Certificate, lost: readonly number[]): boolean {
    const fleet = this.#fleet;
    if (goodForVersion !== null && goodForVersion !== fleet.version) return false;
    if (!this.#haVms(lost).every(({ vmId }) => targetOf.has(vmId))) return false;
    for (const [target, load] of loadOf) {
      const row = fleet.rowOf(target);
      if (row.state !== 'active' || row.connectivity !== 'connected') return false;
      for (const dimension of DIMENSIONS) {
        if ((fleet.free[dimension][target] as number) < load[dimension]) return false;
      }
    }
    return true;
  }

  #certify(
    trial: Trial,
    lost: readonly number[],
  ): { stranded: PlacedVm } | (Omit<Certificate, 'goodForVersion'> & { isBoundByRules: boolean }) {
    const fleet = this.#fleet;
    const vms = largestFirst(this.#haVms(lost));
    for (const index of lost)
      for (const { vmId } of fleet.vms.onHost(fleet.hostIds[index] as string)) trial.vacate(vmId);
    const within = survivors(fleet, this.#group, lost);
    const targetOf = new Map<string, number>();
    const loadOf = new Map<number, Record<Dimension, number>>();
    for (const vm of vms) {
      const target = recoverVm(trial, vm, within);
      if (target === null) return { stranded: vm };
      targetOf.set(vm.vmId, target);
      addLoad(loadOf, target, takenAmounts(vm.request, fleet.numa.threadsPerCore[target] as number));
    }
    return { targetOf, loadOf, isBoundByRules: vms.some(isBoundByRules) };
  }
}

function survivors(fleet: Fleet, group: HostGroup, lost: readonly number[]): HostSet {
  const set = hostSetOf(fleet.hostCount);
  for (const index of membersOf(fleet.labels.of(LABEL.hostGroup(group.hostGroupId)))) addHost(set, index);
  for (const index of lost) dropHost(set, index);
  return set;
}

const isBoundByRules = ({ request }: PlacedVm): boolean =>
  (request.groupIds ?? []).length > 0 || request.numaNodeCount !== undefined || request.dedicatedCpuCount > 0;

function addLoad(loadOf: Map<number, Record<Dimension, number>>, target: number, taken: Amounts): void {
  const load = loadOf.get(target);
  if (load === undefined) {
    const { vcpuCount, memoryBytes, diskBytes, dedicatedCpuCount, hugePages2MibBytes, hugePages1GibBytes } = taken;
    loadOf.set(target, {
      vcpuCount,
      memoryBytes,
      diskBytes,
      dedicatedCpuCount,
      hugePages2MibBytes,
      hugePages1GibBytes,
    });
    return;
  }
  for (const dimension of DIMENSIONS) load[dimension] += taken[dimension];
}

const nameOf = (vm: PlacedVm): string => (vm.vmId === NEWCOMER_ID ? 'this VM' : `VM ${vm.vmId}`);

function combinationCount(of: number, size: number): number {
  let count = 1;
  for (let at = 0; at < size; at += 1) count = (count * (of - at)) / (at + 1);
  return count;
}

function* combinations(from: Int32Array, size: number, first = 0): Generator<number[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (let at = first; at <= from.length - size; at += 1)
    for (const rest of combinations(from, size - 1, at + 1)) yield [from[at] as number, ...rest];
}
