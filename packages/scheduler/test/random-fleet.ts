import { GIB } from '@kvorum/schema';
import { type HostRow, NO_AMOUNTS, type PlacedVm, type PlacementGroup, type PlacementRequest } from '../src/index.js';
import { mayGo, type PlainFleet } from './plain-rules.js';
import { Random } from './random.js';

const RACKS = ['r1', 'r2', 'r3'] as const;

export const GROUPS: readonly PlacementGroup[] = [
  { groupId: 'together', kind: 'affinity', level: 'host', strength: 'hard' },
  { groupId: 'one-rack', kind: 'affinity', level: 'rack', strength: 'hard' },
  { groupId: 'apart', kind: 'anti-affinity', level: 'host', strength: 'hard' },
  { groupId: 'racks-apart', kind: 'anti-affinity', level: 'rack', strength: 'hard' },
  { groupId: 'even', kind: 'spread', level: 'rack', strength: 'hard', skewMax: 1 },
  { groupId: 'rather-apart', kind: 'anti-affinity', level: 'host', strength: 'soft' },
];

export const randomRow = (random: Random, at: number): HostRow => ({
  hostId: `host-${at}`,
  name: `h${at}`,
  state: random.chance(90) ? 'active' : 'cordoned',
  connectivity: random.chance(95) ? 'connected' : 'unreachable',
  accelerator: random.pick(['kvm', 'kvm', 'kvm', 'tcg']),
  capacity: {
    ...NO_AMOUNTS,
    vcpuCount: 4 + random.below(5),
    memoryBytes: (4 + random.below(5)) * GIB,
    diskBytes: 100 * GIB,
  },
  reserved: NO_AMOUNTS,
  ...(random.chance(90) ? { domains: { rack: random.pick(RACKS), zone: random.pick(['a', 'b']) } } : {}),
  traits: random.chance(60) ? ['avx512'] : [],
  cpuBaselines: random.chance(80) ? ['x86-64-v2', 'x86-64-v3'] : ['x86-64-v2'],
  nestsVms: random.chance(60),
  storagePoolIds: random.chance(80) ? ['ssd', 'hdd'] : ['hdd'],
  networkIds: random.chance(80) ? ['blue', 'green'] : ['blue'],
});

export const randomRequest = (random: Random): PlacementRequest => ({
  ...NO_AMOUNTS,
  vcpuCount: 1 + random.below(4),
  memoryBytes: (1 + random.below(4)) * GIB,
  diskBytes: random.below(3) * GIB,
  accelerator: random.pick([null, null, null, 'kvm' as const]),
  hostId: null,
  excludedHostIds: random.chance(10) ? [`host-${random.below(6)}`] : [],
  ...(random.chance(15) ? { requiredTraits: ['avx512'] } : {}),
  ...(random.chance(8) ? { forbiddenTraits: ['avx512'] } : {}),
  ...(random.chance(15) ? { cpuBaseline: 'x86-64-v3' } : {}),
  ...(random.chance(10) ? { needsNestedVirtualisation: true } : {}),
  ...(random.chance(20) ? { storagePoolIds: ['ssd'] } : {}),
  ...(random.chance(20) ? { networkIds: ['blue', 'green'] } : {}),
  ...(random.chance(15) ? { domains: { zone: [random.pick(['a', 'b'])] } } : {}),
  ...(random.chance(50) ? { groupIds: [random.pick(GROUPS).groupId] } : {}),
});

/** Hosts, and VMs each of which was placed by the rules, so that none is broken. */
export function randomFleet(seed: number, hostCountMax: number, vmCountMax: number): PlainFleet {
  const random = new Random(seed);
  const rows = Array.from({ length: 2 + random.below(hostCountMax - 1) }, (_, at) => randomRow(random, at));
  let fleet: PlainFleet = { rows, groups: GROUPS, vms: [] };
  const count = 1 + random.below(vmCountMax);
  for (let at = 0; at < count; at += 1) {
    const request = randomRequest(random);
    const hostIds = rows.map(({ hostId }) => hostId).filter((hostId) => mayGo(fleet, request, hostId));
    if (hostIds.length === 0) continue;
    const vm: PlacedVm = { vmId: `vm-${at}`, hostId: random.pick(hostIds), request, numa: null };
    fleet = { ...fleet, vms: [...fleet.vms, vm] };
  }
  return fleet;
}
