import { GIB } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import {
  countMore,
  Fleet,
  type FleetFacts,
  type HostRow,
  loseDomain,
  NO_AMOUNTS,
  type PlacedVm,
  type PlacementRequest,
  place,
  placeBatch,
} from '../src/index.js';

const aHost = (name: string, changes: Partial<HostRow> = {}): HostRow => ({
  hostId: name,
  name,
  state: 'active',
  connectivity: 'connected',
  accelerator: 'kvm',
  capacity: { ...NO_AMOUNTS, vcpuCount: 8, memoryBytes: 16 * GIB, diskBytes: 100 * GIB },
  reserved: NO_AMOUNTS,
  ...changes,
});
const aRequest = (changes: Partial<PlacementRequest> = {}): PlacementRequest => ({
  ...NO_AMOUNTS,
  vcpuCount: 2,
  memoryBytes: 4 * GIB,
  accelerator: null,
  hostId: null,
  excludedHostIds: [],
  ...changes,
});
const fleetWith = (rows: HostRow[], facts: FleetFacts = {}, vms: PlacedVm[] = []): Fleet => {
  const fleet = new Fleet(rows, facts);
  for (const vm of vms) fleet.occupy(vm);
  return fleet;
};
const aVm = (vmId: string, hostId: string, changes: Partial<PlacementRequest> = {}): PlacedVm => ({
  vmId,
  hostId,
  request: aRequest(changes),
  numa: null,
});
const onHost = (placement: ReturnType<typeof place>): string =>
  placement.kind === 'placed' ? placement.hostId : placement.record.summary;

describe('a request that contradicts itself or the fleet is refused, and the contradiction named', () => {
  const groups: FleetFacts = {
    placementGroups: [
      { groupId: 'near', kind: 'affinity', level: 'host', strength: 'hard' },
      { groupId: 'far', kind: 'anti-affinity', level: 'rack', strength: 'hard' },
    ],
  };
  const table: [string, Partial<PlacementRequest>, RegExp][] = [
    ['zero', { vcpuCount: 0 }, /^vcpuCount: 0; ask for at least 1$/],
    ['negative', { memoryBytes: -GIB }, /^memoryBytes: -1073741824 is negative/],
    ['overflowing', { diskBytes: 2 ** 53 }, /^diskBytes: .* is not a whole number below 2\^53$/],
    ['not a number', { vcpuCount: Number.NaN }, /^vcpuCount: NaN is not a whole number/],
    [
      'larger than any host',
      { memoryBytes: 17 * GIB },
      /^memoryBytes: 17 GiB needed, and the largest host has 16 GiB$/,
    ],
    ['an unknown host', { hostId: 'z' }, /^hostId: host z is not enrolled$/],
    ['an unknown host group', { hostGroupId: 'z' }, /^hostGroupId: no host is in group z$/],
    ['an unknown placement group', { groupIds: ['z'] }, /^groupIds: there is no placement group z$/],
    ['an unknown rack', { domains: { rack: ['z'] } }, /^domains.rack: no host is in rack z$/],
    ['a host both asked for and excluded', { hostId: 'a', excludedHostIds: ['a'] }, /a is both requested and excluded/],
    ['a trait both ways', { requiredTraits: ['x'], forbiddenTraits: ['x'] }, /x is both required and forbidden/],
    ['CPUs that do not divide', { dedicatedCpuCount: 3, numaNodeCount: 2 }, /3 dedicated CPUs cannot be split evenly/],
    ['half a huge page', { hugePages1GibBytes: GIB / 2 }, /^hugePages1GibBytes: not a multiple of the page/],
    ['near and far from the same VM', { groupIds: ['near', 'far'] }, /affinity group near and anti-affinity group far/],
  ];
  it.each(table)('%s', (_name, changes, expected) => {
    const fleet = fleetWith([aHost('a'), aHost('b')], groups, [aVm('other', 'a', { groupIds: ['near', 'far'] })]);
    const { record } = place(aRequest(changes), fleet);
    expect(record.outcome).toBe('refused');
    expect(record.contradictions.find((one) => expected.test(one))).toBeDefined();
    expect(record.summary).toMatch(/^no host can ever fit: /);
  });
});

describe('what would have to change', () => {
  it.each<[string, HostRow[], FleetFacts, PlacedVm[], Partial<PlacementRequest>, string[]]>([
    [
      'a little more room on any of the hosts alike',
      [aHost('a'), aHost('b'), aHost('c')],
      {},
      ['a', 'b', 'c'].map((host) => ({
        ...aVm(`on-${host}`, host, { memoryBytes: 14 * GIB }),
        mobility: { no: 'pinned' },
      })),
      {},
      ['2 GiB more of free memory on any of 3 hosts, or ask for 2 GiB less'],
    ],
    [
      'the rule that keeps it away',
      [aHost('a', { domains: { rack: 'r1' } })],
      { placementGroups: [{ groupId: 'web', kind: 'anti-affinity', level: 'rack', strength: 'hard' }] },
      [aVm('other', 'a', { groupIds: ['web'] })],
      { groupIds: ['web'] },
      ['drop the rack rule of group web (a fits then)'],
    ],
    [
      'a VM that could go elsewhere',
      [aHost('a', { traits: ['gpu'] }), aHost('b')],
      {},
      [aVm('guest', 'a', { memoryBytes: 14 * GIB })],
      { requiredTraits: ['gpu'], memoryBytes: 16 * GIB },
      [
        'move VM guest from a to b',
        '14 GiB more of free memory on a, or ask for 14 GiB less',
        'drop the traits (b fits then)',
      ],
    ],
  ])('%s', (_name, rows, facts, vms, changes, expected) => {
    const { record } = place(aRequest(changes), fleetWith(rows, facts, vms));
    expect(record.remedies.map(({ change }) => change)).toEqual(expected);
  });
});

describe('NUMA nodes and SMT', () => {
  const node = (cpuCount: number, gib: number) => ({
    memoryBytes: gib * GIB,
    dedicatedCpuCount: cpuCount,
    hugePages2MibBytes: 0,
    hugePages1GibBytes: 0,
  });
  const numaHost = (name: string, nodes: HostRow['numaNodes'], threadsPerCore: 1 | 2 = 2): HostRow =>
    aHost(name, {
      capacity: { ...NO_AMOUNTS, vcpuCount: 64, memoryBytes: 64 * GIB, diskBytes: GIB, dedicatedCpuCount: 16 },
      threadsPerCore,
      ...(nodes === undefined ? {} : { numaNodes: nodes }),
    });
  it.each<[string, HostRow['numaNodes'], Partial<PlacementRequest>, number[] | 'refused']>([
    ['the fullest node that fits', [node(8, 16), node(4, 16)], { dedicatedCpuCount: 4, numaNodeCount: 1 }, [1]],
    ['the other where memory is short', [node(8, 16), node(4, 2)], { dedicatedCpuCount: 4, numaNodeCount: 1 }, [0]],
    ['both, evenly', [node(4, 2), node(4, 2)], { dedicatedCpuCount: 8, numaNodeCount: 2 }, [0, 1]],
    [
      'not on one when one is too small',
      [node(4, 16), node(4, 16)],
      { dedicatedCpuCount: 8, numaNodeCount: 1 },
      'refused',
    ],
    ['several, when it does not ask', [node(4, 16), node(4, 16)], { dedicatedCpuCount: 8 }, [0, 1]],
    [
      'isolated CPUs need a core each',
      [node(4, 16), node(4, 16)],
      { dedicatedCpuCount: 4, numaNodeCount: 1, smt: 'isolate' },
      'refused',
    ],
    ['two isolated CPUs on two cores', [node(4, 16)], { dedicatedCpuCount: 2, numaNodeCount: 1, smt: 'isolate' }, [0]],
  ])('%s', (_name, nodes, changes, expected) => {
    const placement = place(aRequest(changes), fleetWith([numaHost('a', nodes)]));
    expect(placement.kind === 'placed' ? placement.numa.map((share) => share.node) : 'refused').toEqual(expected);
  });

  it('never gives a thread twice: placed until none fits, no node is below zero', () => {
    for (const smt of ['prefer', 'require', 'isolate'] as const) {
      for (const dedicatedCpuCount of [1, 2, 3, 4]) {
        const fleet = fleetWith([numaHost('a', [node(8, 24), node(6, 24)])]);
        for (let at = 0; at < 40; at += 1) {
          const request = aRequest({ dedicatedCpuCount, smt, numaNodeCount: 1, memoryBytes: GIB });
          const placement = place(request, fleet);
          if (placement.kind === 'refused') break;
          fleet.occupy({ vmId: `${at}`, hostId: 'a', request, numa: placement.numa });
        }
        const { cpuCount, wholeCoreCount } = fleet.numa;
        expect(Math.min(...cpuCount, ...wholeCoreCount)).toBeGreaterThanOrEqual(0);
        const perVm =
          smt === 'isolate'
            ? 2 * dedicatedCpuCount
            : smt === 'require'
              ? 2 * Math.ceil(dedicatedCpuCount / 2)
              : dedicatedCpuCount;
        expect(fleet.vms.count).toBe(Math.floor(8 / perVm) + Math.floor(6 / perVm));
      }
    }
  });

  it('offers a host without SMT to nobody who requires it', () => {
    const { record } = place(
      aRequest({ dedicatedCpuCount: 2, smt: 'require' }),
      fleetWith([numaHost('a', undefined, 1)]),
    );
    expect(record.rejections).toEqual([{ filter: 'smt', rejected: 1 }]);
  });
});

describe('several at once', () => {
  const near: FleetFacts = {
    placementGroups: [{ groupId: 'near', kind: 'affinity', level: 'rack', strength: 'hard' }],
  };
  const rows = [
    aHost('a', { domains: { rack: 'r1' }, reserved: { ...NO_AMOUNTS, memoryBytes: 9 * GIB } }),
    aHost('b', { domains: { rack: 'r2' } }),
    aHost('c', { domains: { rack: 'r2' } }),
  ];
  it('keeps a group together in the domain that takes all of it, not in the one that is best for the first', () => {
    const requests = Array.from({ length: 4 }, () => aRequest({ memoryBytes: 7 * GIB, groupIds: ['near'] }));
    const batch = placeBatch(requests, fleetWith(rows, near), 'all-or-nothing');
    expect(batch.outcome).toBe('placed');
    expect(batch.placements.map(onHost).toSorted()).toEqual(['b', 'b', 'c', 'c']);
  });

  it('places nothing of a batch of which one has no place, or what it can with best effort', () => {
    const requests = [
      aRequest({ memoryBytes: 16 * GIB }),
      aRequest({ memoryBytes: 16 * GIB }),
      aRequest({ memoryBytes: 16 * GIB }),
    ];
    const fleet = fleetWith(rows);
    const before = fleet.digest();
    expect(placeBatch(requests, fleet, 'all-or-nothing').outcome).toBe('refused');
    const best = placeBatch(requests, fleet, 'best-effort');
    expect([best.outcome, best.placements.map(({ kind }) => kind)]).toEqual([
      'partial',
      ['placed', 'placed', 'refused'],
    ]);
    expect(fleet.digest()).toBe(before);
  });
});

const APART = { isHighlyAvailable: true, groupIds: ['web'] } as const;

describe('the reserve for lost hosts', () => {
  const facts = (haReserveHostCount: number): FleetFacts => ({
    hostGroups: [{ hostGroupId: 'g', policy: 'pack', haReserveHostCount }],
  });
  const rows = ['a', 'b', 'c'].map((name) => aHost(name, { hostGroupId: 'g' }));
  const fill = (haReserveHostCount: number, request: PlacementRequest): number => {
    const fleet = fleetWith(rows, facts(haReserveHostCount));
    for (let at = 0; ; at += 1) {
      const placement = place(request, fleet);
      if (placement.kind === 'refused') return at;
      fleet.occupy({ vmId: `${at}`, hostId: placement.hostId, request, numa: placement.numa });
    }
  };
  it.each([
    ['none is lost', 0, { isHighlyAvailable: true }, 12],
    ['one is lost', 1, { isHighlyAvailable: true }, 8],
    ['two are lost', 2, { isHighlyAvailable: true }, 4],
    ['VMs that need not be restarted take all there is', 1, {}, 12],
    ['large ones must really fit, not only on the whole', 1, { isHighlyAvailable: true, memoryBytes: 9 * GIB }, 2],
  ] as const)('admits as many as have a place when %s', (_name, reserve, changes, expected) => {
    expect(fill(reserve, aRequest(changes))).toBe(expected);
  });

  it('says which loss could not be borne', () => {
    const vms = [
      aVm('x', 'a', { isHighlyAvailable: true, memoryBytes: 16 * GIB }),
      aVm('y', 'b', { memoryBytes: 12 * GIB }),
    ];
    const { record } = place(aRequest(), fleetWith(rows, facts(1), vms));
    expect(record.rejections).toEqual([
      { filter: 'capacity-memory', rejected: 1 },
      { filter: 'ha-reserve', rejected: 1 },
    ]);
    const reasons = record.verdicts.flatMap(({ objections }) => objections.map(({ reason }) => reason));
    expect(reasons).toContainEqual(
      expect.stringMatching(/^host group g keeps room for .*: if a were lost, VM x would find no place in it$/),
    );
    expect(onHost(place(aRequest(), fleetWith(rows, facts(1), vms)))).toBe('b');
  });

  it.each([
    ['each other', [aVm('x', 'a', APART), aVm('y', 'a', APART)], /if a were lost, VM y would find no place/],
    [
      'a VM that stays',
      [aVm('x', 'a', APART), aVm('z', 'b', { groupIds: ['web'] })],
      /if a were lost, VM x would find no place/,
    ],
  ])('counts no room from which VMs of a lost host are kept away by %s', (_whom, vms, reason) => {
    const web = { groupId: 'web', kind: 'anti-affinity', level: 'host', strength: 'hard' } as const;
    const full = aVm('full', 'c', { memoryBytes: 16 * GIB });
    const fleet = fleetWith(rows, { ...facts(1), placementGroups: [web] }, [...vms, full]);
    const { record } = place(aRequest({ hostId: 'b' }), fleet);
    const reasons = record.verdicts.flatMap(({ objections }) => objections.map((objection) => objection.reason));
    expect(reasons).toContainEqual(expect.stringMatching(reason));
  });
});

describe('what if', () => {
  it('counts how many more would fit, by zone', () => {
    const rows = [
      aHost('a', { domains: { zone: 'z1' } }),
      aHost('b', { domains: { zone: 'z2' } }),
      aHost('c', { state: 'cordoned' }),
    ];
    expect(countMore(aRequest({ memoryBytes: 5 * GIB }), fleetWith(rows, {}, [aVm('x', 'b')]))).toEqual({
      count: 5,
      isAtLeast: false,
      byDomain: { z1: 3, z2: 2 },
    });
  });

  it('counts one by one where members of a group keep each other away', () => {
    const facts: FleetFacts = {
      placementGroups: [{ groupId: 'web', kind: 'anti-affinity', level: 'host', strength: 'hard' }],
    };
    expect(countMore(aRequest({ groupIds: ['web'] }), fleetWith([aHost('a'), aHost('b')], facts)).count).toBe(2);
  });

  it('says of a lost rack which VMs start where, and which do not and why', () => {
    const rows = [aHost('a', { domains: { rack: 'r1' } }), aHost('b', { domains: { rack: 'r2' } })];
    const vms = [
      aVm('large', 'a', { isHighlyAvailable: true, memoryBytes: 13 * GIB }),
      aVm('small', 'a', { isHighlyAvailable: true }),
      aVm('plain', 'a'),
    ];
    const loss = loseDomain(fleetWith(rows, {}, [...vms, aVm('there', 'b', { memoryBytes: 2 * GIB })]), 'rack', 'r1');
    expect(loss.lostHostIds).toEqual(['a']);
    expect(loss.restarts).toEqual([{ vmId: 'large', fromHostId: 'a', toHostId: 'b' }]);
    expect(loss.stranded.map(({ vmId, reason }) => [vmId, reason.slice(0, 60)])).toEqual([
      ['small', '0 of 2 hosts fit: 1 short of memory (largest free 1 GiB on b'],
      ['plain', 'it is not highly available'],
    ]);
  });
});
