import { GIB } from '@kvorum/schema';
import {
  Fleet,
  type FleetFacts,
  type HostGroup,
  type HostRow,
  NO_AMOUNTS,
  type NumaNodeFree,
  type PlacedVm,
  type PlacementGroup,
  type PlacementRequest,
} from '../src/index.js';
import type { Random } from './random.js';
import { randomRequest, randomRow } from './random-fleet.js';

/** Every kind of group, hard and soft, of every level. */
const GROUPS: readonly PlacementGroup[] = (['affinity', 'anti-affinity', 'spread'] as const).flatMap((kind) =>
  (['hard', 'soft'] as const).flatMap((strength) =>
    ['host', 'rack', 'zone'].map((level) => ({
      groupId: `${strength}-${kind}-${level}`,
      kind,
      level,
      strength,
      skewMax: 2,
    })),
  ),
);

const numaNodes = (random: Random, cpuCount: number): NumaNodeFree[] =>
  [0, 1].map(() => ({
    memoryBytes: (4 + random.below(8)) * GIB,
    dedicatedCpuCount: cpuCount / 2,
    hugePages2MibBytes: 2 * GIB,
    hugePages1GibBytes: 0,
  }));

/** A host with everything that a rule can look at. */
const aRow = (random: Random, at: number): HostRow => {
  const dedicatedCpuCount = 8 * random.below(2);
  const amounts = {
    ...NO_AMOUNTS,
    vcpuCount: 8 + random.below(3) * 4,
    memoryBytes: (12 + 6 * random.below(3)) * GIB,
    diskBytes: 60 * GIB,
  };
  return {
    ...randomRow(random, at),
    capacity: { ...amounts, dedicatedCpuCount, hugePages2MibBytes: random.below(2) * 4 * GIB },
    threadsPerCore: random.pick([1, 2]),
    ...(random.chance(85) ? { hostGroupId: `group-${random.below(2)}` } : {}),
    ...(random.chance(40) ? { numaNodes: numaNodes(random, dedicatedCpuCount) } : {}),
  };
};

export const aRequest = (random: Random): PlacementRequest => {
  const numaNodeCount = 1 + random.below(2);
  return {
    ...randomRequest(random),
    ...(random.chance(35) ? { groupIds: [random.pick(GROUPS).groupId] } : { groupIds: [] }),
    ...(random.chance(12) ? { groupIds: [random.pick(GROUPS).groupId, random.pick(GROUPS).groupId] } : {}),
    ...(random.chance(12) ? { dedicatedCpuCount: 1 + random.below(3), smt: random.pick(['prefer', 'isolate']) } : {}),
    ...(random.chance(8) ? { numaNodeCount, dedicatedCpuCount: numaNodeCount * random.below(3) } : {}),
    ...(random.chance(8) ? { hugePages2MibBytes: GIB } : {}),
    ...(random.chance(60) ? { isHighlyAvailable: true } : {}),
  };
};

/** A fleet that changes, and the same fleet without a past. */
export class History {
  readonly fleet: Fleet;
  #hostGroups: readonly HostGroup[];
  #groups = GROUPS;
  readonly #rows: HostRow[];
  readonly #random: Random;
  #vms: PlacedVm[] = [];
  #count = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#rows = Array.from({ length: 3 + random.below(12) }, (_, at) => aRow(random, at));
    this.#hostGroups = [0, 1].map((at) => ({
      hostGroupId: `group-${at}`,
      policy: random.pick(['pack', 'spread', 'balanced'] as const),
      haReserveHostCount: random.below(3),
    }));
    this.fleet = new Fleet(this.#rows, this.#facts);
  }

  get #facts(): FleetFacts {
    return { hostGroups: this.#hostGroups, placementGroups: this.#groups };
  }

  withoutPast(): Fleet {
    const fleet = new Fleet(this.#rows, this.#facts);
    for (const vm of this.#vms) fleet.occupy(vm);
    return fleet;
  }

  /** Of a new VM, or of one that is placed and would move. */
  nextRequest(): PlacementRequest {
    const request = aRequest(this.#random);
    const isMove = this.#vms.length > 0 && this.#random.chance(15);
    return isMove ? { ...request, vmId: this.#random.pick(this.#vms).vmId } : request;
  }

  settle(request: PlacementRequest, hostId: string, numa: PlacedVm['numa']): void {
    const { vmId = `vm-${this.#count}` } = request;
    this.#count += 1;
    this.#remove(vmId);
    const vm = { vmId, hostId, request, numa };
    this.fleet.occupy(vm);
    this.#vms.push(vm);
  }

  #remove(vmId: string): void {
    this.fleet.vacate(vmId);
    this.#vms = this.#vms.filter((vm) => vm.vmId !== vmId);
  }

  /** Sometimes a VM goes, a group gets other rules, or an empty host changes its state. */
  happen(): void {
    if (this.#random.chance(8)) this.#changeHostGroup(this.#random.below(2));
    if (this.#random.chance(8)) this.#changeRules(this.#random.pick(GROUPS).groupId);
    if (this.#vms.length > 0 && this.#random.chance(15)) this.#remove(this.#random.pick(this.#vms).vmId);
    const at = this.#random.below(this.#rows.length);
    const row = this.#rows[at] as HostRow;
    if (!this.#random.chance(15) || this.#vms.some(({ hostId }) => hostId === row.hostId)) return;
    const changed: HostRow = { ...row, state: row.state === 'active' ? 'cordoned' : 'active' };
    this.#rows[at] = changed;
    this.fleet.applyHostRow(changed);
  }

  #changeHostGroup(at: number): void {
    const changed: HostGroup = {
      hostGroupId: `group-${at}`,
      policy: this.#random.pick(['pack', 'spread', 'balanced'] as const),
      haReserveHostCount: this.#random.below(3),
    };
    this.#hostGroups = this.#hostGroups.map((group, index) => (index === at ? changed : group));
    this.fleet.applyHostGroup(changed);
  }

  /** One rule or two, of any kind. */
  #changeRules(groupId: string): void {
    const rules = Array.from({ length: 1 + this.#random.below(2) }, () => ({ ...this.#random.pick(GROUPS), groupId }));
    this.#groups = [...this.#groups.filter((group) => group.groupId !== groupId), ...rules];
    this.fleet.applyPlacementGroup(groupId, rules);
  }
}
