import { describe, expect, it } from 'vitest';
import { digestOf } from '../src/fleet/digest.js';
import { fleetOf, type PlacementRequest, place, replay } from '../src/index.js';
import { seeds } from './case-count.js';
import { engineFleet } from './engine-fleet.js';
import { mayGo, type PlainFleet } from './plain-rules.js';
import { Random } from './random.js';
import { randomFleet, randomRequest } from './random-fleet.js';

const cases = seeds({ all: 10_000, share: 300 });

const aCase = (seed: number): { plain: PlainFleet; request: PlacementRequest } => ({
  plain: randomFleet(seed, 8, 12),
  request: randomRequest(new Random(seed + 1_000_000)),
});
const fitting = ({ rows }: PlainFleet, test: (hostId: string) => boolean): string[] =>
  rows.map(({ hostId }) => hostId).filter(test);

describe('place, beside the rules said plainly', () => {
  it('counts as candidates exactly the hosts that every rule admits, and takes the one with the largest total', () => {
    for (const seed of cases) {
      const { plain, request } = aCase(seed);
      const { record } = place(request, engineFleet(plain));
      if (record.contradictions.length > 0) continue;
      const expected = fitting(plain, (hostId) => mayGo(plain, request, hostId));
      const found = record.verdicts.filter(({ fits }) => fits).map(({ hostId }) => hostId);
      expect([seed, found.toSorted()]).toEqual([seed, expected]);
      expect([seed, record.outcome]).toEqual([seed, expected.length === 0 ? 'refused' : 'placed']);
      const totals = record.verdicts.flatMap(({ score }) => score?.total ?? []);
      expect([seed, totals]).toEqual([seed, totals.toSorted((left, right) => right - left)]);
    }
  });

  it('refuses as contradictory only what no host can take, however empty the fleet', () => {
    for (const seed of cases) {
      const { plain, request } = aCase(seed);
      const { contradictions } = place(request, engineFleet(plain)).record;
      if (contradictions.length === 0) continue;
      const empty = { ...plain, vms: [], groups: plain.groups };
      expect([seed, fitting(empty, (hostId) => mayGo(empty, request, hostId))]).toEqual([seed, []]);
    }
  });

  it('is right about every remedy that moves a VM: after the move, the request fits', () => {
    let tried = 0;
    for (const seed of cases) {
      const { plain, request } = aCase(seed);
      for (const { kind, change } of place(request, engineFleet(plain)).record.remedies) {
        if (kind !== 'move-vm') continue;
        tried += 1;
        const [, vmId, , to] = /move VM (\S+) from (\S+) to (\S+)/.exec(change) as unknown as string[];
        const vms = plain.vms.map((vm) => (vm.vmId === vmId ? { ...vm, hostId: `host-${to?.slice(1)}` } : vm));
        expect([seed, place(request, engineFleet({ ...plain, vms })).kind]).toEqual([seed, 'placed']);
      }
    }
    expect(tried).toBeGreaterThan(cases.length / 100);
  });

  it('is right about hosts that one filter alone keeps out', () => {
    for (const seed of cases) {
      const { plain, request } = aCase(seed);
      const { remedies, verdicts } = place(request, engineFleet(plain)).record;
      const single = verdicts.filter(({ objections }) => objections.length === 1);
      for (const { filter, hostCount, kind } of remedies) {
        const expected = single.filter(({ objections }) => objections[0]?.filter === filter).length;
        if (kind === 'drop-rule') expect([seed, filter, hostCount]).toEqual([seed, filter, expected]);
      }
    }
  });

  it('leaves the fleet as it was, and decides alike from rows in any order and from changes applied one by one', () => {
    for (const seed of cases.slice(0, 150)) {
      const { plain, request } = aCase(seed);
      const fleet = engineFleet(plain);
      const before = fleet.digest();
      const { record } = place(request, fleet);
      expect(fleet.digest()).toBe(before);
      const grown = fleetOf([], { placementGroups: plain.groups });
      for (const row of plain.rows.toReversed()) grown.applyHostRow({ ...row, state: 'cordoned' });
      for (const row of plain.rows) grown.applyHostRow(row);
      for (const vm of plain.vms.toReversed()) grown.occupy(vm);
      expect([seed, digestOf(place(request, grown).record)]).toEqual([seed, digestOf(record)]);
      expect(replay(record, grown)).toEqual({ kind: 'same' });
    }
  });
});
