// A made fleet for measuring decisions: half full, every kind of rule in use. The same for the same size.
import { Fleet, NO_AMOUNTS } from '@kvorum/scheduler';

export const GIB = 1024 ** 3;
const HOSTS_PER_RACK = 32;
const RACKS_PER_ZONE = 8;
const HOSTS_PER_RESERVE_GROUP = 16;

/** Numbers that look random and are the same in each run (mulberry32). */
export function randomOf(seed) {
  let state = seed;
  return (end) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * end);
  };
}

const aRow = (index, random) => {
  const rack = Math.floor(index / HOSTS_PER_RACK);
  const cpuFree = 4 + random(45);
  return {
    hostId: `host-${String(index).padStart(6, '0')}`,
    name: `h${index}`,
    state: random(50) === 0 ? 'cordoned' : 'active',
    connectivity: random(100) === 0 ? 'unreachable' : 'connected',
    accelerator: 'kvm',
    capacity: { ...NO_AMOUNTS, vcpuCount: 96, memoryBytes: 384 * GIB, diskBytes: 4096 * GIB, dedicatedCpuCount: 48 },
    reserved: {
      ...NO_AMOUNTS,
      vcpuCount: 96 + random(96),
      memoryBytes: (96 + random(192)) * GIB,
      diskBytes: (1024 + random(2048)) * GIB,
      dedicatedCpuCount: 48 - cpuFree,
    },
    overcommit: { vcpuCount: 3 },
    traits: random(4) === 0 ? ['avx512', 'sev'] : ['avx512'],
    cpuBaselines: random(5) === 0 ? ['x86-64-v3', 'x86-64-v4'] : ['x86-64-v3'],
    nestsVms: random(2) === 0,
    storagePoolIds: [`pool-${rack % 4}`, 'everywhere'],
    networkIds: ['blue', ...(random(3) === 0 ? [] : ['green'])],
    domains: { rack: `r${rack}`, zone: `z${Math.floor(rack / RACKS_PER_ZONE) % 3}` },
    hostGroupId: `g${Math.floor(index / HOSTS_PER_RESERVE_GROUP)}`,
    threadsPerCore: 2,
    numaNodes: [0, 1].map((node) => ({
      memoryBytes: (16 + random(96)) * GIB,
      dedicatedCpuCount: node === 0 ? Math.floor(cpuFree / 2) : Math.ceil(cpuFree / 2),
      hugePages2MibBytes: 0,
      hugePages1GibBytes: 0,
    })),
  };
};

const PLACEMENT_GROUPS = Array.from({ length: 64 }, (_, at) => ({
  groupId: `group-${at}`,
  kind: ['anti-affinity', 'spread', 'affinity', 'anti-affinity'][at % 4],
  level: ['rack', 'zone', 'zone', 'host'][at % 4],
  strength: at % 8 < 6 ? 'hard' : 'soft',
  skewMax: 2,
}));

/** Every second group of hosts keeps a reserve for one lost host, and has two highly available VMs on each host. */
export function madeFleet(hostCount) {
  const random = randomOf(7);
  const rows = Array.from({ length: hostCount }, (_, index) => aRow(index, random));
  const groupCount = Math.ceil(hostCount / HOSTS_PER_RESERVE_GROUP);
  const hostGroups = Array.from({ length: groupCount }, (_, at) => ({
    hostGroupId: `g${at}`,
    policy: ['pack', 'spread', 'balanced'][at % 3],
    haReserveHostCount: at % 2,
  }));
  const vms = rows.flatMap(({ hostId }, index) =>
    [0, 1].map((at) => ({
      vmId: `vm-${index}-${at}`,
      hostId,
      numa: null,
      request: {
        ...plainRequest(),
        isHighlyAvailable: true,
        ...(random(64) === 0 ? { groupIds: [`group-${random(64)}`] } : {}),
      },
    })),
  );
  return new Fleet(rows, { hostGroups, placementGroups: PLACEMENT_GROUPS, vms });
}

export const plainRequest = () => ({
  ...NO_AMOUNTS,
  vcpuCount: 4,
  memoryBytes: 8 * GIB,
  diskBytes: 40 * GIB,
  accelerator: null,
  hostId: null,
  excludedHostIds: [],
});

/** A request that every filter has something to say to. */
export function fullRequest(random) {
  const cpuCount = [2, 4, 8][random(3)];
  return {
    ...plainRequest(),
    vcpuCount: cpuCount,
    memoryBytes: cpuCount * 2 * GIB,
    dedicatedCpuCount: cpuCount,
    numaNodeCount: 1 + random(2),
    smt: 'require',
    excludedHostIds: ['host-000001', 'host-000002'],
    requiredTraits: ['avx512'],
    forbiddenTraits: ['sev'],
    cpuBaseline: 'x86-64-v3',
    needsNestedVirtualisation: random(2) === 0,
    storagePoolIds: ['everywhere'],
    networkIds: ['blue', 'green'],
    domains: { zone: ['z0'] },
    groupIds: [`group-${random(64)}`],
    isHighlyAvailable: random(2) === 0,
  };
}
