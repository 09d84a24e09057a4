import type { Fleet } from '../fleet/fleet.js';
import { type HostGroup, nameOfHostGroup } from '../fleet/host-row.js';
import { dropHost, type HostSet, membersOf } from '../fleet/host-set.js';
import { LABEL, type LabelSets } from '../fleet/labels.js';
import { takenAmounts } from '../fleet/taken-amounts.js';
import { hostsByLabels } from '../hosts-by-labels.js';
import { tried } from '../plan/trial.js';
import type { Moved } from '../request/group-members.js';
import type { PlacedVm, PlacementRequest } from '../request/placement-request.js';
import { planNuma } from '../request/plan-numa.js';
import { GroupRoom } from './group-room.js';
import { firstLoss, LOSS_SET_COUNT_MAX, lossSetCount, nextLoss } from './losses.js';
import { largestFirst, recoverVm } from './recover-vms.js';
import { admissionOf, isBoundByGroups, isBoundInHost, rulesOf } from './recovery-rules.js';

const kept = new WeakMap<Fleet, Map<string, HaReserveTrial>>();

/** What does not change from one decision to the next is kept with the fleet. */
export function haReserveTrialOf(fleet: Fleet, group: HostGroup): HaReserveTrial {
  let ofFleet = kept.get(fleet);
  if (ofFleet === undefined) {
    ofFleet = new Map();
    kept.set(fleet, ofFleet);
  }
  let trial = ofFleet.get(group.hostGroupId);
  if (trial === undefined || !trial.isGood(group)) {
    trial = new HaReserveTrial(fleet, group);
    ofFleet.set(group.hostGroupId, trial);
  }
  return trial;
}

/** No VM has this id. */
const NEWCOMER_ID = '\u0000newcomer';

/** The highly available VMs of one host, the largest first. */
interface HostVms {
  readonly hostVersion: number;
  readonly vms: readonly PlacedVm[];
  readonly boundInHostCount: number;
}

/** A VM on a host that it is not on yet, and the VM that would leave its place for it. */
interface Arrival {
  readonly newcomer: PlacedVm;
  /** Of its host, in the group. */
  readonly place: number;
  readonly leaver: PlacedVm | undefined;
}

/**
 * Tries every loss that a group must bear, with a VM on one of its hosts. Nothing that was found for another state of the
 * fleet decides: the verdict is the same whatever was asked before.
 */
export class HaReserveTrial {
  readonly #fleet: Fleet;
  readonly #group: HostGroup;
  readonly #hosts: Int32Array;
  readonly #room: GroupRoom;
  readonly #labels: LabelSets;
  readonly #labelVersion: number;
  /** Where VMs of lost hosts, bound by groups, have gone so far. */
  readonly #targetOf = new Map<PlacedVm, number>();
  readonly #hostVms: (HostVms | undefined)[] = [];
  readonly #admitted = new WeakMap<PlacementRequest, HostSet>();

  constructor(fleet: Fleet, group: HostGroup) {
    this.#fleet = fleet;
    this.#group = group;
    this.#labels = fleet.labels;
    this.#labelVersion = fleet.labels.version;
    this.#hosts = membersOf(fleet.labels.of(LABEL.hostGroup(group.hostGroupId)));
    this.#room = new GroupRoom(fleet, this.#hosts);
  }

  /** The group is the same, and no host has come, gone or changed what it is. */
  isGood(group: HostGroup): boolean {
    return this.#group === group && this.#fleet.labels === this.#labels && this.#labels.version === this.#labelVersion;
  }

  /** Why the VM must not go to the host of the group; null: nothing speaks against it. */
  objection(request: PlacementRequest, index: number): string | null {
    const { haReserveHostCount } = this.#group;
    const name = nameOfHostGroup(this.#group);
    const hostCount = this.#hosts.length;
    const count = lossSetCount(hostCount, haReserveHostCount);
    if (count > LOSS_SET_COUNT_MAX)
      return `group ${name} has ${count} sets of ${haReserveHostCount} hosts to lose, more than the ${LOSS_SET_COUNT_MAX} that can be tried`;
    if (hostCount <= haReserveHostCount)
      return `group ${name} has ${hostCount} hosts and is to bear the loss of ${haReserveHostCount}`;
    const newcomer: PlacedVm = { vmId: NEWCOMER_ID, hostId: this.#fleet.hostIds[index] as string, request, numa: null };
    // The VM may be placed already, and would leave where it is.
    const leaver = request.vmId === undefined ? undefined : this.#fleet.vms.get(request.vmId);
    const arrival: Arrival = { newcomer, place: this.#hosts.indexOf(index), leaver };
    this.#room.read([...this.#change(newcomer, -1), ...(leaver === undefined ? [] : this.#change(leaver, 1))]);
    const lost = firstLoss(haReserveHostCount);
    const moved = this.#moved(arrival, lost);
    do {
      const stranded = this.#strandedBy(lost, arrival, moved);
      if (stranded === null) continue;
      const names = lost.map((at) => this.#fleet.names[this.#hosts[at] as number]).join(' and ');
      const vmName = stranded.vmId === NEWCOMER_ID ? 'this VM' : `VM ${stranded.vmId}`;
      return `host group ${name} keeps room for the loss of any ${haReserveHostCount} of its ${hostCount} hosts: if ${names} were lost, ${vmName} would find no place in it`;
    } while (nextLoss(lost, hostCount));
    return null;
  }

  #change({ hostId, request }: PlacedVm, sign: -1 | 1): Parameters<GroupRoom['read']>[0] {
    const index = this.#fleet.indexOf(hostId);
    const place = this.#hosts.indexOf(index);
    if (place < 0) return [];
    return [{ place, amounts: takenAmounts(request, this.#fleet.numa.threadsPerCore[index] as number), sign }];
  }

  /** A VM that would find no place; null: all would. The largest chooses first. */
  #strandedBy(lost: readonly number[], arrival: Arrival, moved: Moved): PlacedVm | null {
    const { newcomer, place, leaver } = arrival;
    let boundInHostCount = 0;
    let vms: readonly PlacedVm[] = [];
    for (const at of lost) {
      const ofHost = this.#vmsOn(at);
      boundInHostCount += ofHost.boundInHostCount;
      vms = vms.length === 0 ? ofHost.vms : [...vms, ...ofHost.vms];
    }
    if (leaver !== undefined) vms = vms.filter((vm) => vm !== leaver);
    const isLost = lost.includes(place);
    const joins = isLost && newcomer.request.isHighlyAvailable === true;
    if (joins) {
      vms = [...vms, newcomer];
      if (isBoundInHost(newcomer)) boundInHostCount += 1;
    }
    if (vms.length === 0) return null;
    // NUMA nodes and CPUs are read from the fleet: good for one VM that needs them, if none that is there changes them.
    const changesNodes = (!isLost && isBoundInHost(newcomer)) || (leaver !== undefined && isBoundInHost(leaver));
    if (boundInHostCount > 1 || (boundInHostCount === 1 && changesNodes)) return this.#strandedInFleet(lost, arrival);
    return this.#strandedInRoom(lost.length > 1 || joins ? largestFirst(vms) : vms, lost, moved);
  }

  /** Where VMs are while the hosts at the places in `lost`, which changes, are lost. */
  #moved({ newcomer, place, leaver }: Arrival, lost: readonly number[]): Moved {
    const whenLost = (vm: PlacedVm, index: number): number => {
      for (const at of lost) if (this.#hosts[at] === index) return this.#targetOf.get(vm) ?? -1;
      return index;
    };
    return {
      hostOf: (vm) => (vm === leaver ? -1 : whenLost(vm, this.#fleet.indexOf(vm.hostId))),
      newcomer,
      newcomerAt: () => whenLost(newcomer, this.#hosts[place] as number),
    };
  }

  #strandedInRoom(vms: readonly PlacedVm[], lost: readonly number[], moved: Moved): PlacedVm | null {
    this.#targetOf.clear();
    if (this.#hasRoomToSpare(vms, lost, moved)) return null;
    let stranded: PlacedVm | null = null;
    for (const vm of vms) {
      const at = this.#room.take(vm.request, this.#admittedFor(vm), lost, rulesOf(vm, this.#fleet, moved));
      if (at < 0) {
        stranded = vm;
        break;
      }
      if (isBoundByGroups(vm)) this.#targetOf.set(vm, this.#hosts[at] as number);
    }
    this.#room.restore();
    return stranded;
  }

  /**
   * Each VM finds a place that could take all of them, so none is stranded, wherever those before it go: most losses are
   * decided by this. Not where two VMs are bound by groups, for then the one changes where the other may go.
   */
  #hasRoomToSpare(vms: readonly PlacedVm[], lost: readonly number[], moved: Moved): boolean {
    const needed = { vcpuCount: 0, memoryBytes: 0, diskBytes: 0 };
    let boundCount = 0;
    for (const vm of vms) {
      if (isBoundByGroups(vm)) boundCount += 1;
      needed.vcpuCount += vm.request.vcpuCount;
      needed.memoryBytes += vm.request.memoryBytes;
      needed.diskBytes += vm.request.diskBytes;
    }
    if (boundCount > 1) return false;
    let known: HostSet | null = null;
    for (const vm of vms) {
      const admitted = this.#admittedFor(vm);
      const admits = admissionOf(vm, this.#fleet, moved);
      if (admits === null && admitted === known) continue;
      if (!this.#room.hasPlaceFor(needed, admitted, lost, admits)) return false;
      known = admitted;
    }
    return true;
  }

  #vmsOn(at: number): HostVms {
    const index = this.#hosts[at] as number;
    const hostVersion = this.#fleet.hostVersions[index] as number;
    let ofHost = this.#hostVms[at];
    if (ofHost?.hostVersion !== hostVersion) {
      const all = this.#fleet.vms.onHost(this.#fleet.hostIds[index] as string);
      const vms = largestFirst(all.filter(({ request }) => request.isHighlyAvailable === true));
      ofHost = { hostVersion, vms, boundInHostCount: vms.filter(isBoundInHost).length };
      this.#hostVms[at] = ofHost;
    }
    return ofHost;
  }

  #admittedFor({ request }: PlacedVm): HostSet {
    let admitted = this.#admitted.get(request);
    if (admitted === undefined) {
      admitted = hostsByLabels(request, this.#fleet);
      this.#admitted.set(request, admitted);
    }
    return admitted;
  }

  /** The same on the fleet itself, where several VMs change each other's NUMA nodes. */
  #strandedInFleet(lost: readonly number[], { newcomer, place, leaver }: Arrival): PlacedVm | null {
    const fleet = this.#fleet;
    return tried(fleet, (trial) => {
      if (leaver !== undefined) trial.vacate(leaver.vmId);
      trial.occupy({ ...newcomer, numa: planNuma(fleet, this.#hosts[place] as number, newcomer.request) });
      const within = fleet.labels.of(LABEL.hostGroup(this.#group.hostGroupId)).slice();
      const gone: PlacedVm[] = [];
      for (const at of lost) {
        const index = this.#hosts[at] as number;
        dropHost(within, index);
        gone.push(...fleet.vms.onHost(fleet.hostIds[index] as string));
      }
      for (const { vmId } of gone) trial.vacate(vmId);
      const vms = largestFirst(gone.filter(({ request }) => request.isHighlyAvailable === true));
      return vms.find((vm) => recoverVm(trial, vm, within) === null) ?? null;
    });
  }
}
