import { GIB } from '@kvorum/schema';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Amounts, DIMENSIONS, NO_AMOUNTS } from './fleet/amounts.js';
import { fleetOf } from './fleet/fleet.js';
import type { HostRow } from './fleet/host-row.js';
import { place } from './place.js';
import { VERDICT_COUNT_MAX } from './placement.js';
import type { PlacementRequest } from './request/placement-request.js';

/** A stored decision stays below this, so that a million VMs' decisions stay below 16 GiB. */
const RECORD_BYTES_MAX = 16_384;
const NAME_LENGTH_MAX = 63;

const amounts = (min: number, max: number): fc.Arbitrary<Amounts> =>
  fc.record({
    vcpuCount: fc.integer({ min, max }),
    memoryBytes: fc.integer({ min, max }).map((gib) => gib * GIB),
    diskBytes: fc.integer({ min: 0, max }).map((gib) => gib * GIB),
    dedicatedCpuCount: fc.integer({ min: 0, max: Math.floor(max / 4) }),
    hugePages2MibBytes: fc.integer({ min: 0, max: Math.floor(max / 4) }).map((gib) => gib * GIB),
    hugePages1GibBytes: fc.integer({ min: 0, max: Math.floor(max / 4) }).map((gib) => gib * GIB),
  });
// Few distinct values on purpose: ties and near misses must be common.
const hostWithoutId = fc.record({
  state: fc.constantFrom('active', 'active', 'active', 'cordoned', 'revoked'),
  connectivity: fc.constantFrom('connected', 'connected', 'connected', 'unreachable'),
  accelerator: fc.constantFrom('kvm', 'kvm', 'tcg', null),
  capacity: amounts(0, 8),
  reserved: amounts(0, 4),
}) as fc.Arbitrary<Omit<HostRow, 'hostId' | 'name'>>;
const rows = (maxLength: number) =>
  fc
    .array(hostWithoutId, { maxLength })
    .map((hosts) =>
      hosts.map(
        (host, at): HostRow => ({ ...host, hostId: hostIdOf(at), name: `h${at}`.padEnd(NAME_LENGTH_MAX, 'x') }),
      ),
    );
const hostIdOf = (at: number): string => `00000000-0000-7000-8000-${String(at).padStart(12, '0')}`;
const request: fc.Arbitrary<PlacementRequest> = fc
  .tuple(
    amounts(1, 4),
    fc.constantFrom('kvm' as const, 'tcg' as const, null, null),
    fc.option(fc.nat({ max: 8 }).map(hostIdOf), { freq: 5 }),
    fc.array(fc.nat({ max: 8 }).map(hostIdOf), { maxLength: 3 }),
  )
  .map(([needed, accelerator, hostId, excludedHostIds]) => ({ ...needed, accelerator, hostId, excludedHostIds }));

/** The rules once more, as plainly as they can be said. */
const fits = (row: HostRow, asked: PlacementRequest): boolean =>
  (asked.hostId === null || asked.hostId === row.hostId) &&
  !asked.excludedHostIds.includes(row.hostId) &&
  row.state === 'active' &&
  row.connectivity === 'connected' &&
  row.accelerator !== null &&
  (asked.accelerator === null || asked.accelerator === row.accelerator) &&
  DIMENSIONS.every((dimension) => row.capacity[dimension] - row.reserved[dimension] >= asked[dimension]);

const goodness = (row: HostRow, asked: PlacementRequest): number => {
  const share = (capacity: number, reserved: number, needed: number) =>
    capacity === 0 ? 0 : (capacity - reserved - needed) / capacity;
  const left = [
    share(row.capacity.vcpuCount, row.reserved.vcpuCount, asked.vcpuCount),
    share(row.capacity.memoryBytes, row.reserved.memoryBytes, asked.memoryBytes),
    share(row.capacity.diskBytes, row.reserved.diskBytes, asked.diskBytes),
  ] as const;
  const mean = (left[0] + left[1] + left[2]) / 3;
  return (row.accelerator === 'kvm' ? 10 : 0) + (1 - mean) + (1 - (Math.max(...left) - Math.min(...left)));
};

describe('place, against every host tried by hand', () => {
  it('chooses a host that fits and than which none is better, and refuses only when none fits', () => {
    fc.assert(
      fc.property(rows(12), request, (hosts, asked) => {
        const placement = place(asked, fleetOf(hosts));
        const fitting = hosts.filter((row) => fits(row, asked));
        expect(placement.record.candidateCount).toBe(fitting.length);
        if (placement.kind === 'refused') {
          expect(fitting).toEqual([]);
          return;
        }
        const chosen = fitting.find((row) => row.hostId === placement.hostId);
        if (chosen === undefined) throw new Error(`${placement.hostId} does not fit`);
        const best = Math.max(...fitting.map((row) => goodness(row, asked)));
        expect(goodness(chosen, asked)).toBeCloseTo(best, 9);
        expect(placement.score.total).toBeCloseTo(best, 9);
      }),
      { numRuns: 500 },
    );
  });

  it('takes the smallest id of hosts that are alike', () => {
    fc.assert(
      fc.property(hostWithoutId, fc.integer({ min: 1, max: 30 }), request, (host, count, asked) => {
        const hosts = Array.from({ length: count }, (_, at) => ({ ...host, hostId: hostIdOf(at), name: `h${at}` }));
        const placement = place(asked, fleetOf(hosts));
        const first = hosts.find((row) => fits(row, asked));
        expect(placement.kind === 'placed' ? placement.hostId : undefined).toBe(first?.hostId);
      }),
    );
  });

  it('gives the same record in whatever order the hosts come', () => {
    const shuffled = rows(40).chain((hosts) => fc.tuple(fc.constant(hosts), shuffleOf(hosts)));
    fc.assert(
      fc.property(shuffled, request, ([hosts, others], asked) => {
        expect(place(asked, fleetOf(others))).toEqual(place(asked, fleetOf(hosts)));
      }),
    );
  });

  it('counts every host once, and names every host or says how many it left out', () => {
    fc.assert(
      fc.property(rows(40), request, (hosts, asked) => {
        const { record } = place(asked, fleetOf(hosts));
        const rejected = record.rejections.reduce((sum, one) => sum + one.rejected, 0);
        expect(rejected + record.candidateCount).toBe(hosts.length);
        expect(record.verdicts.length + record.omittedVerdictCount).toBe(hosts.length);
        for (const verdict of record.verdicts) expect(verdict.fits).toBe(verdict.objections.length === 0);
        expect(new Set(record.verdicts.map((verdict) => verdict.hostId)).size).toBe(record.verdicts.length);
      }),
    );
  });

  it('keeps the record small, however many hosts there are, and plain JSON', () => {
    fc.assert(
      fc.property(rows(200), request, (hosts, asked) => {
        const { record } = place(asked, fleetOf(hosts));
        expect(record.verdicts.length).toBeLessThanOrEqual(VERDICT_COUNT_MAX);
        expect(Buffer.byteLength(JSON.stringify(record))).toBeLessThanOrEqual(RECORD_BYTES_MAX);
        expect(JSON.parse(JSON.stringify(record))).toEqual(record);
      }),
    );
  });

  it('is right about the smallest change: with its objections gone, the named host fits', () => {
    fc.assert(
      fc.property(rows(12), request, (hosts, asked) => {
        const { record } = place(asked, fleetOf(hosts));
        const { relaxation } = record;
        expect(relaxation === null).toBe(record.outcome === 'placed' || hosts.length === 0);
        if (relaxation === null) return;
        const objected = hosts.find((row) => row.hostId === relaxation.hostId) as HostRow;
        const relaxed: HostRow = {
          ...objected,
          state: 'active',
          connectivity: 'connected',
          accelerator: asked.accelerator ?? 'kvm',
          capacity: asked,
          reserved: NO_AMOUNTS,
        };
        expect(place({ ...asked, hostId: null, excludedHostIds: [] }, fleetOf([relaxed])).kind).toBe('placed');
        expect(relaxation.changes.length).toBe(record.verdicts[0]?.objections.length);
        expect(record.verdicts[0]?.hostId).toBe(relaxation.hostId);
      }),
    );
  });
});

const shuffleOf = (hosts: HostRow[]): fc.Arbitrary<HostRow[]> =>
  fc.shuffledSubarray(hosts, { minLength: hosts.length, maxLength: hosts.length });
