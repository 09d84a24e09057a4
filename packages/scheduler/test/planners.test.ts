import { describe, expect, it } from 'vitest';
import { planDrain, planRebalance, type Step } from '../src/index.js';
import { seeds } from './case-count.js';
import { engineFleet } from './engine-fleet.js';
import { canBeEmptied, moveTogether, type PlainFleet } from './plain-rules.js';
import { randomFleet } from './random-fleet.js';

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
        else expect(plan.after.fullestShare).toBeLessThanOrEqual(plan.before.fullestShare);
      }
      expect(outcomes.plan).toBeGreaterThan(cases.length / 20);
      expect(outcomes['good-enough']).toBeGreaterThan(cases.length / 20);
    },
    600_000,
  );
});
