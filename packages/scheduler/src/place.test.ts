import { GIB, MIB } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import { NO_AMOUNTS } from './fleet/amounts.js';
import { fleetOf } from './fleet/fleet.js';
import type { HostRow } from './fleet/host-row.js';
import { place } from './place.js';
import type { FilterName } from './placement.js';
import type { PlacementRequest } from './request/placement-request.js';

const AMPLE = { ...NO_AMOUNTS, vcpuCount: 16, memoryBytes: 64 * GIB, diskBytes: 1024 * GIB };
const NONE = NO_AMOUNTS;

const aHost = (name: string, changes: Partial<HostRow> = {}): HostRow => ({
  hostId: `id-${name}`,
  name,
  state: 'active',
  connectivity: 'connected',
  accelerator: 'kvm',
  capacity: AMPLE,
  reserved: NONE,
  ...changes,
});
const aRequest = (changes: Partial<PlacementRequest> = {}): PlacementRequest => ({
  ...NO_AMOUNTS,
  vcpuCount: 2,
  memoryBytes: 4 * GIB,
  diskBytes: 10 * GIB,
  accelerator: null,
  hostId: null,
  excludedHostIds: [],
  ...changes,
});
const withFree = (free: Partial<typeof AMPLE>) => ({
  reserved: {
    ...NONE,
    vcpuCount: AMPLE.vcpuCount - (free.vcpuCount ?? AMPLE.vcpuCount),
    memoryBytes: AMPLE.memoryBytes - (free.memoryBytes ?? AMPLE.memoryBytes),
    diskBytes: AMPLE.diskBytes - (free.diskBytes ?? AMPLE.diskBytes),
  },
});
const chosenOf = (request: PlacementRequest, hosts: HostRow[]) => {
  const placement = place(request, fleetOf(hosts));
  return placement.kind === 'placed' ? placement.record.chosen?.hostName : null;
};

describe('a single host is rejected by exactly the filter whose rule it breaks', () => {
  const table: [string, Partial<HostRow>, Partial<PlacementRequest>, FilterName | 'fits'][] = [
    ['nothing wrong', {}, {}, 'fits'],
    ['exactly enough of everything', withFree({ vcpuCount: 2, memoryBytes: 4 * GIB, diskBytes: 10 * GIB }), {}, 'fits'],
    ['this host requested', {}, { hostId: 'id-a' }, 'fits'],
    ['another host requested', {}, { hostId: 'id-b' }, 'requested-host'],
    ['another host excluded', {}, { excludedHostIds: ['id-b', 'id-c'] }, 'fits'],
    ['this host excluded', {}, { excludedHostIds: ['id-b', 'id-a'] }, 'excluded'],
    ['cordoned', { state: 'cordoned' }, {}, 'host-state'],
    ['revoked', { state: 'revoked' }, {}, 'host-state'],
    ['cordoned, although requested', { state: 'cordoned' }, { hostId: 'id-a' }, 'host-state'],
    ['unreachable', { connectivity: 'unreachable' }, {}, 'connectivity'],
    ['no accelerator, any wanted', { accelerator: null }, {}, 'accelerator'],
    ['tcg, any wanted', { accelerator: 'tcg' }, {}, 'fits'],
    ['tcg, kvm wanted', { accelerator: 'tcg' }, { accelerator: 'kvm' }, 'accelerator'],
    ['kvm, tcg wanted', { accelerator: 'kvm' }, { accelerator: 'tcg' }, 'accelerator'],
    ['tcg, tcg wanted', { accelerator: 'tcg' }, { accelerator: 'tcg' }, 'fits'],
    ['one vCPU short', withFree({ vcpuCount: 1 }), {}, 'capacity-vcpus'],
    ['one byte of memory short', withFree({ memoryBytes: 4 * GIB - 1 }), {}, 'capacity-memory'],
    ['one byte of disk short', withFree({ diskBytes: 10 * GIB - 1 }), {}, 'capacity-disk'],
    ['no dedicated CPUs', {}, { dedicatedCpuCount: 2 }, 'capacity-dedicated-cpus'],
    [
      'one huge page of 2 MiB short',
      { capacity: { ...AMPLE, hugePages2MibBytes: GIB - 2 * MIB } },
      { hugePages2MibBytes: GIB },
      'capacity-huge-pages-2mib',
    ],
    ['no huge pages of 1 GiB', {}, { hugePages1GibBytes: GIB }, 'capacity-huge-pages-1gib'],
    ['shrunk under its VMs', { reserved: { ...NONE, memoryBytes: 65 * GIB } }, {}, 'capacity-memory'],
    ['not reported yet', { capacity: NONE }, {}, 'capacity-vcpus'],
  ];
  it.each(table)('%s', (_name, host, request, expected) => {
    const { record } = place(aRequest(request), fleetOf([aHost('a', host)]));
    expect(record.rejections).toEqual(expected === 'fits' ? [] : [{ filter: expected, rejected: 1 }]);
    expect(record.outcome).toBe(expected === 'fits' ? 'placed' : 'refused');
  });
});

describe('of the hosts that fit, the best is taken', () => {
  const halfFull = { reserved: { ...NONE, vcpuCount: 8, memoryBytes: 32 * GIB, diskBytes: 512 * GIB } };
  const lopsided = { reserved: { ...NONE, vcpuCount: 14, memoryBytes: 8 * GIB, diskBytes: 512 * GIB } };
  const table: [string, HostRow[], Partial<PlacementRequest>, string | null][] = [
    ['the fuller one', [aHost('a'), aHost('b', halfFull)], {}, 'b'],
    ['the one left in proportion', [aHost('a', lopsided), aHost('b', halfFull)], {}, 'b'],
    ['kvm, however full', [aHost('a', { ...halfFull, accelerator: 'tcg' }), aHost('b')], {}, 'b'],
    ['tcg where it is wanted', [aHost('a', { accelerator: 'tcg' }), aHost('b')], { accelerator: 'tcg' }, 'a'],
    ['the smallest id of equals', [aHost('c'), aHost('b'), aHost('d')], {}, 'b'],
    ['the requested one, though worse', [aHost('a'), aHost('b', halfFull)], { hostId: 'id-a' }, 'a'],
    ['none of none', [], {}, null],
  ];
  it.each(table)('%s', (_name, hosts, request, expected) => {
    expect(chosenOf(aRequest(request), hosts)).toBe(expected);
  });
});

describe('a refusal says why in one sentence', () => {
  const short = (name: string, gib: number) => aHost(name, withFree({ memoryBytes: gib * GIB }));
  const table: [string, HostRow[], Partial<PlacementRequest>, string][] = [
    [
      'counts of reasons, the largest first, and the least that would have to change',
      [short('a', 1), short('b', 1.5), aHost('c', { state: 'cordoned' }), aHost('d', { connectivity: 'unreachable' })],
      {},
      '0 of 4 hosts fit: 2 short of memory (largest free 1.5 GiB on b, needed 4 GiB), 1 cordoned, 1 unreachable; smallest change: 2.5 GiB more of free memory on b',
    ],
    [
      'amounts that differ never look equal',
      [aHost('a', withFree({ memoryBytes: 4 * GIB - 1 }))],
      {},
      '0 of 1 host fit: 1 short of memory (largest free 3.99 GiB on a, needed 4 GiB); smallest change: 0.01 MiB more of free memory on a',
    ],
    [
      'a host that lacks two things is counted once and needs both',
      [aHost('a', withFree({ vcpuCount: 1, diskBytes: 5 * GIB }))],
      {},
      '0 of 1 host fit: 1 short of vCPUs (largest free 1 on a, needed 2); smallest change: 1 more of free vCPUs on a and 5 GiB more of free disk on a',
    ],
    [
      'a little more room is a smaller change than another host',
      [short('a', 3), aHost('b')],
      { hostId: 'id-a' },
      '0 of 2 hosts fit: 1 not the requested host, 1 short of memory (largest free 3 GiB on a, needed 4 GiB); smallest change: 1 GiB more of free memory on a',
    ],
    [
      'a requested host that is not there',
      [aHost('a')],
      { hostId: 'id-z' },
      'no host can ever fit: hostId: host id-z is not enrolled',
    ],
    [
      'what a host lacks that a package brings',
      [aHost('a', { traits: ['tpm:2.0'] }), aHost('b', { state: 'cordoned' })],
      { requiredTraits: ['firmware:uefi', 'tpm:2.0'] },
      '0 of 2 hosts fit: 1 cordoned, 1 without trait firmware:uefi; smallest change: install the package ovmf on a',
    ],
    [
      'a cordoned host is nearer than a revoked one',
      [aHost('a', { state: 'revoked' }), aHost('b', { state: 'cordoned' })],
      {},
      '0 of 2 hosts fit: 1 revoked, 1 cordoned; smallest change: uncordon b',
    ],
    [
      'an accelerator nobody has',
      [aHost('a', { accelerator: 'tcg' }), aHost('b', { accelerator: null })],
      { accelerator: 'kvm' },
      '0 of 2 hosts fit: 2 without kvm; smallest change: allow another accelerator than kvm',
    ],
    ['no hosts at all', [], {}, '0 hosts fit: no host is enrolled'],
  ];
  it.each(table)('%s', (_name, hosts, request, expected) => {
    expect(place(aRequest(request), fleetOf(hosts)).record.summary).toBe(expected);
  });
});

describe('the record of a decision', () => {
  it('names for a rejected host every objection with its numbers', () => {
    const host = aHost('a', { state: 'cordoned', ...withFree({ vcpuCount: 1, memoryBytes: GIB }) });
    const { record } = place(aRequest(), fleetOf([host]));
    expect(record.verdicts).toEqual([
      {
        hostId: 'id-a',
        hostName: 'a',
        fits: false,
        score: null,
        objections: [
          { filter: 'host-state', reason: 'the host is cordoned', needed: null, free: null },
          { filter: 'capacity-vcpus', reason: '2 of vCPUs needed, 1 free', needed: 2, free: 1 },
          {
            filter: 'capacity-memory',
            reason: '4 GiB of memory needed, 1 GiB free',
            needed: 4 * GIB,
            free: GIB,
          },
        ],
      },
    ]);
  });

  it('shows candidates before rejected hosts, and the chosen one first', () => {
    const hosts = [aHost('a', { state: 'cordoned' }), aHost('b', { accelerator: 'tcg' }), aHost('c')];
    const { record } = place(aRequest(), fleetOf(hosts));
    expect(record.verdicts.map(({ hostName, fits }) => [hostName, fits])).toEqual([
      ['c', true],
      ['b', true],
      ['a', false],
    ]);
    expect(record.summary).toBe('placed on c: the best of 2 that fit, of 3 hosts');
  });

  it('splits the score into the parts it is made of', () => {
    const { record } = place(aRequest({ memoryBytes: 8 * GIB, diskBytes: 128 * GIB }), fleetOf([aHost('a')]));
    expect(record.chosen?.score).toEqual({
      total: 11 + 0.125,
      parts: { accelerator: 10, fill: 0.125, balance: 1, 'soft-rules': 0, numa: 0 },
    });
  });
});

describe('the fleet', () => {
  it('refuses the same host twice', () => {
    expect(() => fleetOf([aHost('a'), aHost('a')])).toThrow('host id-a is in the fleet twice');
  });
});
