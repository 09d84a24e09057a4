import { GIB } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import { type HostRow, NO_AMOUNTS, type PlacedVm, planDrain, planRebalance, type Step } from '../src/index.js';
import { seeds } from './case-count.js';
import { engineFleet } from './engine-fleet.js';
import { canBeEmptied, mayGo, moveTogether, type PlainFleet } from './plain-rules.js';
import { GROUPS, randomFleet } from './random-fleet.js';

const cases = seeds({ all: 10_000, share: 150 });

/** Carries the steps out by the plain rules; throws at the first that breaks one. */
function carryOut(fleet: PlainFleet, steps: readonly Step[], seed: number): PlainFleet {
  let now = fleet;
  for (const { moves } of steps) {
    const to = moves[0]?.toHostId as string;
    for (const { vmId, fromHostId, toHostId } of moves) {
      expect([seed, now.vms.find((vm) => vm.vmId === vmId)?.hostId, toHostId]).toEqual([seed, fromHostId, to]);
    }
    const next = moveTogether(
      now,
      moves.map(({ vmId }) => vmId),
      to,
    );
    if (typeof next === 'string') throw new Error(`case ${seed}: ${next}`);
    now = next;
  }
  return now;
}

describe('the drain planner', () => {
  it('empties the host by steps that keep every rule, or names a blocker where no order of moves would do', () => {
    const outcomes = { plan: 0, blocked: 0, 'nothing-to-do': 0 };
    for (const seed of cases) {
      const plain = randomFleet(seed, 4, 6);
      const hostId = (plain.vms[0] ?? { hostId: 'host-0' }).hostId;
      const fleet = engineFleet(plain);
      const before = fleet.digest();
      const plan = planDrain(fleet, hostId);
      expect(fleet.digest()).toBe(before);
      outcomes[plan.kind] += 1;
      if (plan.kind === 'plan') {
        const after = carryOut(plain, plan.steps, seed);
        expect([seed, after.vms.filter((vm) => vm.hostId === hostId)]).toEqual([seed, []]);
        expect(plan.cost.moveCount).toBe(plan.steps.flatMap(({ moves }) => moves).length);
      } else if (plan.kind === 'blocked') {
        expect([seed, plan.isProven, canBeEmptied(plain, hostId)]).toEqual([seed, true, false]);
        expect(plan.blockers.length).toBeGreaterThan(0);
      }
    }
    expect(outcomes.plan).toBeGreaterThan(cases.length / 10);
    expect(outcomes.blocked).toBeGreaterThan(cases.length / 10);
  }, 600_000);

  it.each([0, 1, 2])(
    'never plans more than %i moves when no more are allowed',
    (moveCountMax) => {
      for (const seed of cases.slice(0, 100)) {
        const plain = randomFleet(seed, 4, 6);
        const plan = planDrain(engineFleet(plain), 'host-0', { moveCountMax });
        if (plan.kind === 'plan') expect(plan.cost.moveCount).toBeLessThanOrEqual(moveCountMax);
      }
    },
    600_000,
  );
});

describe('the rebalancer', () => {
  it.each(['even', 'empty-hosts'] as const)(
    'to %s: keeps every rule at every step, ends, and improves',
    (goal) => {
      const outcomes = { plan: 0, 'good-enough': 0 };
      for (const seed of cases) {
        const plain = randomFleet(seed, 6, 14);
        const fleet = engineFleet(plain);
        const before = fleet.digest();
        const plan = planRebalance(fleet, { goal, moveCountMax: 8 });
        expect(fleet.digest()).toBe(before);
        outcomes[plan.kind] += 1;
        if (plan.kind !== 'plan') continue;
        expect(plan.cost.moveCount).toBeLessThanOrEqual(8);
        carryOut(plain, plan.steps, seed);
        if (goal === 'empty-hosts') expect(plan.after.emptyHostCount).toBeGreaterThan(plan.before.emptyHostCount);
        // A broken rule is mended first, even where the only host that takes the VM is then the fullest.
        else if (!breaksARule(plain))
          expect(plan.after.fullestShare, `case ${seed}`).toBeLessThanOrEqual(plan.before.fullestShare);
      }
      expect(outcomes.plan).toBeGreaterThan(cases.length / 20);
      expect(outcomes['good-enough']).toBeGreaterThan(cases.length / 20);
    },
    600_000,
  );

  it('to even: mends a broken rule on the emptiest host that takes the VM', () => {
    const vm = (vmId: string, hostId: string, gib: number, groupIds: string[] = []): PlacedVm => {
      const amounts = { ...NO_AMOUNTS, vcpuCount: 1, memoryBytes: gib * GIB };
      const request = { ...amounts, accelerator: null, hostId: null, excludedHostIds: [], groupIds };
      return { vmId, hostId, request, numa: null };
    };
    const rows = [0, 1, 2].map(
      (at): HostRow => ({
        hostId: `host-${at}`,
        name: `h${at}`,
        state: 'active',
        connectivity: 'connected',
        accelerator: 'kvm',
        capacity: { ...NO_AMOUNTS, vcpuCount: 8, memoryBytes: 8 * GIB },
        reserved: NO_AMOUNTS,
      }),
    );
    const vms = [vm('a', 'host-0', 2, ['apart']), vm('b', 'host-0', 1, ['apart']), vm('c', 'host-1', 5)];
    const plan = planRebalance(engineFleet({ rows, groups: GROUPS, vms }), { goal: 'even' });
    expect(plan.kind === 'plan' && plan.steps[0]?.moves).toMatchObject([{ vmId: 'a', toHostId: 'host-2' }]);
  });
});

/** Some VM is where it would not be placed. */
const breaksARule = (fleet: PlainFleet): boolean =>
  fleet.vms.some((vm) => {
    const others = { ...fleet, vms: fleet.vms.filter(({ vmId }) => vmId !== vm.vmId) };
    return !mayGo(others, { ...vm.request, hostId: null, excludedHostIds: [] }, vm.hostId);
  });
