import { GIB, MIB } from '@kvorum/schema';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  fleetOf,
  type GuestNodeNeed,
  type HostRow,
  NO_AMOUNTS,
  type NumaNodeFree,
  type PlacementRequest,
  place,
  type SmtPolicy,
} from '../src/index.js';

const PAGES = 2 * MIB;

const aNode = (dedicatedCpuCount: number, gib: number, changes: Partial<NumaNodeFree> = {}): NumaNodeFree => ({
  memoryBytes: gib * GIB,
  dedicatedCpuCount,
  hugePages2MibBytes: 0,
  hugePages1GibBytes: 0,
  ...changes,
});

/** So large in sum that only its nodes can refuse. */
const hostWith = (numaNodes: readonly NumaNodeFree[] | undefined, threadsPerCore: 1 | 2 = 1): HostRow => ({
  hostId: 'a',
  name: 'host-a',
  state: 'active',
  connectivity: 'connected',
  accelerator: 'kvm',
  capacity: {
    vcpuCount: 1000,
    memoryBytes: 1000 * GIB,
    diskBytes: 1000 * GIB,
    dedicatedCpuCount: 1000,
    hugePages2MibBytes: 1000 * GIB,
    hugePages1GibBytes: 1000 * GIB,
  },
  reserved: NO_AMOUNTS,
  threadsPerCore,
  ...(numaNodes === undefined ? {} : { numaNodes }),
});

const need = (cpuCount: number, gib: number, hugePages2MibBytes = 0): GuestNodeNeed => ({
  cpuCount,
  memoryBytes: gib * GIB,
  hugePages2MibBytes,
  hugePages1GibBytes: 0,
});

function requestFor(guestNodes: readonly GuestNodeNeed[], smt: SmtPolicy = 'prefer'): PlacementRequest {
  const sum = (of: (node: GuestNodeNeed) => number): number => guestNodes.reduce((total, node) => total + of(node), 0);
  return {
    vcpuCount: 1,
    memoryBytes: sum(({ memoryBytes }) => memoryBytes) + MIB,
    diskBytes: 0,
    dedicatedCpuCount: sum(({ cpuCount }) => cpuCount),
    hugePages2MibBytes: sum(({ hugePages2MibBytes }) => hugePages2MibBytes),
    hugePages1GibBytes: 0,
    accelerator: null,
    hostId: null,
    excludedHostIds: [],
    guestNodes,
    smt,
  };
}

const decide = (host: HostRow, request: PlacementRequest) => {
  const placement = place(request, fleetOf([host]));
  return placement.kind === 'placed'
    ? placement.numa.map(({ node, cpuCount, memoryBytes }) => [node, cpuCount, memoryBytes / GIB])
    : placement.record.rejections.map(({ filter }) => filter);
};

describe("the NUMA nodes of a guest lie on the host's", () => {
  it.each<[string, HostRow, PlacementRequest, unknown]>([
    [
      'one each',
      hostWith([aNode(4, 8), aNode(4, 8)]),
      requestFor([need(4, 8), need(4, 8)]),
      [
        [0, 4, 8],
        [1, 4, 8],
      ],
    ],
    [
      'uneven ones',
      hostWith([aNode(2, 8), aNode(6, 8)]),
      requestFor([need(6, 1), need(2, 7)]),
      [
        [0, 2, 7],
        [1, 6, 1],
      ],
    ],
    [
      'two on one, where the other is full',
      hostWith([aNode(0, 0), aNode(8, 8)]),
      requestFor([need(4, 4), need(4, 4)]),
      [[1, 8, 8]],
    ],
    ['both on the only one', hostWith([aNode(8, 8)]), requestFor([need(4, 4), need(4, 4)]), [[0, 8, 8]]],
    [
      'room in sum, but not in any node',
      hostWith([aNode(3, 8), aNode(5, 8)]),
      requestFor([need(4, 1), need(4, 1)]),
      ['numa'],
    ],
    [
      'CPUs here and memory there',
      hostWith([aNode(4, 1), aNode(0, 8)]),
      requestFor([need(2, 4), need(2, 4)]),
      ['numa'],
    ],
    [
      'one alone is spread where no node holds it',
      hostWith([aNode(3, 8), aNode(5, 8)]),
      requestFor([need(8, 1)]),
      [
        [0, 3, 0],
        [1, 5, 0],
      ],
    ],
    [
      'one alone goes whole to the fullest node',
      hostWith([aNode(8, 8), aNode(4, 8)]),
      requestFor([need(4, 2)]),
      [[1, 4, 2]],
    ],
    [
      'shared CPUs, memory alone',
      hostWith([aNode(0, 4), aNode(0, 4)]),
      requestFor([need(0, 4), need(0, 4)]),
      [
        [0, 0, 4],
        [1, 0, 4],
      ],
    ],
    ['a host that tells no nodes is for its agent', hostWith(undefined), requestFor([need(4, 4), need(4, 4)]), []],
    [
      'isolated CPUs want a core each',
      hostWith([aNode(8, 8)], 2),
      requestFor([need(2, 1), need(2, 1)], 'isolate'),
      [[0, 8, 2]],
    ],
    [
      'and not half ones',
      hostWith([aNode(8, 8, { wholeCoreCount: 3 })], 2),
      requestFor([need(2, 1), need(2, 1)], 'isolate'),
      ['smt'],
    ],
  ])('%s', (_what, host, request, expected) => {
    expect(decide(host, request)).toEqual(expected);
  });

  it('and a refusal says what each of them has', () => {
    const host = hostWith([aNode(3, 8, { hugePages2MibBytes: GIB }), aNode(5, 8)]);
    const { record } = place(requestFor([need(4, 0, GIB), need(4, 0, GIB)]), fleetOf([host]));
    expect(record.verdicts[0]?.objections.map(({ filter, reason }) => [filter, reason])).toEqual([
      [
        'numa',
        'no node of the host has room for 2 nodes of 4 CPUs and 1 GiB in pages of 2 MiB; free are 3 CPUs, 8 GiB, 1 GiB in pages of 2 MiB on node 0; 5 CPUs, 8 GiB on node 1',
      ],
    ]);
  });
});

/** Every way of laying guest nodes on host nodes, and for one alone also that of taking from all. */
function fitsByBruteForce(
  nodes: readonly NumaNodeFree[],
  guests: readonly GuestNodeNeed[],
  smt: SmtPolicy,
  threads: number,
) {
  const coresOf = ({ cpuCount }: GuestNodeNeed): number =>
    smt === 'isolate' ? cpuCount : Math.ceil(cpuCount / threads);
  const holds = (node: NumaNodeFree, parts: readonly GuestNodeNeed[]): boolean => {
    const sum = (of: (part: GuestNodeNeed) => number): number => parts.reduce((total, part) => total + of(part), 0);
    const cpus =
      smt === 'prefer'
        ? sum(({ cpuCount }) => cpuCount) <= node.dedicatedCpuCount
        : sum(coresOf) <= (node.wholeCoreCount ?? 0);
    const isBound = guests.length > 1 || nodes.length > 1;
    return (
      cpus &&
      (!isBound || sum(({ memoryBytes }) => memoryBytes) <= node.memoryBytes) &&
      sum(({ hugePages2MibBytes }) => hugePages2MibBytes) <= node.hugePages2MibBytes
    );
  };
  for (let way = 0; way < nodes.length ** guests.length; way += 1) {
    const nodeOf = (at: number): number => Math.floor(way / nodes.length ** at) % nodes.length;
    if (
      nodes.every((node, index) =>
        holds(
          node,
          guests.filter((_, at) => nodeOf(at) === index),
        ),
      )
    )
      return true;
  }
  const [alone, ...others] = guests;
  if (alone === undefined || others.length > 0) return false;
  const total = (of: (node: NumaNodeFree) => number): number => nodes.reduce((sum, node) => sum + of(node), 0);
  const cpus =
    smt === 'prefer'
      ? total(({ dedicatedCpuCount }) => dedicatedCpuCount) >= alone.cpuCount
      : total(({ wholeCoreCount }) => wholeCoreCount ?? 0) >= coresOf(alone);
  return cpus && total(({ hugePages2MibBytes }) => hugePages2MibBytes) >= alone.hugePages2MibBytes;
}

describe('placement agrees with trying every way', () => {
  const HOST_NODES = fc.array(fc.record({ cores: fc.nat(4), halves: fc.nat(2), gib: fc.nat(4), pages: fc.nat(3) }), {
    minLength: 1,
    maxLength: 3,
  });
  const GUEST_NODES = fc.array(fc.record({ cpus: fc.nat(4), gib: fc.nat(3), pages: fc.nat(2) }), {
    minLength: 1,
    maxLength: 3,
  });
  it.each<[SmtPolicy, 1 | 2]>([
    ['prefer', 1],
    ['prefer', 2],
    ['isolate', 2],
    ['require', 2],
  ])('with SMT policy %s and %i threads per core', (smt, threads) => {
    fc.assert(
      fc.property(HOST_NODES, GUEST_NODES, (hostNodes, guestNodes) => {
        const nodes = hostNodes.map(({ cores, halves, gib, pages }) =>
          aNode(cores * threads + (threads === 1 ? 0 : halves), gib, {
            wholeCoreCount: cores,
            hugePages2MibBytes: pages * PAGES,
          }),
        );
        const guests = guestNodes.map(({ cpus, gib, pages }) => need(cpus, gib, pages * PAGES));
        const request = requestFor(guests, smt);
        const fleet = fleetOf([hostWith(nodes, threads)]);
        const placement = place(request, fleet);
        expect(placement.kind === 'placed').toBe(fitsByBruteForce(nodes, guests, smt, threads));
        if (placement.kind === 'refused') return;
        // What it takes is there.
        fleet.occupy({ vmId: 'vm', hostId: 'a', request, numa: placement.numa });
        for (const node of fleet.numaNodesOf(0) ?? [])
          expect(Math.min(...Object.values(node))).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 1500 },
    );
  });
});
