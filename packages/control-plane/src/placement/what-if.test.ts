import { type HostId, newId, PLAIN_HARDWARE, VmHardware } from '@kvorum/schema';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aHost, aName, aProject, aVm, type Ingredients, ingredients } from '../../test/world/fleet-builder.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import { createFloatingAddress } from '../floating-address/create-floating-address.js';
import { createFloatingRange } from '../floating-address/create-floating-range.js';
import { createNetwork } from '../network/create-network.js';
import { createPort } from '../network/create-port.js';
import { getCapacity } from './get-capacity.js';
import { planFleetRebalance, planHostDrain } from './plan-moves.js';
import { simulateFailure } from './simulate-failure.js';
import { simulatePlacement } from './simulate-placement.js';

let test: TestControlPlane;
let from: Ingredients;
let before: unknown;
beforeEach(async () => {
  test = await openTestControlPlane();
  from = await ingredients(test);
});
afterEach(async () => {
  // Whatever was asked: nothing is reserved, moved or recorded.
  if (before !== undefined) expect(await claims()).toEqual(before);
  before = undefined;
  await test.close();
});

const claims = () =>
  test.sql(`SELECT h.id, h.reserved_vcpu_count, (SELECT count(*)::int FROM placements) AS placements,
    (SELECT count(*)::int FROM operations) AS operations FROM hosts h ORDER BY h.id`);
/** Hosts with room for so many VMs each, in racks of their own. */
async function hosts(...vmCounts: number[]): Promise<HostId[]> {
  const ids: HostId[] = [];
  for (const [index, vmCount] of vmCounts.entries()) {
    const id = (await aHost(test, { vmCount })) as HostId;
    await test.sql(`UPDATE hosts SET labels = jsonb_build_object('rack', $2::text) WHERE id = $1`, [id, `r${index}`]);
    ids.push(id);
  }
  return ids;
}
const vmsOn = async (hostId: HostId, count: number, state = 'running') => {
  for (let n = 0; n < count; n += 1) await aVm(test, from, state, { hostId });
};
const remember = async () => {
  before = await claims();
};

describe('a simulated placement', () => {
  it('counts each VM with those before it, and all or nothing means it', async () => {
    await hosts(1, 1);
    await remember();
    const vms = [{ flavorId: from.flavor.id, count: 3, hardware: PLAIN_HARDWARE }];
    const best = await simulatePlacement(test.cp, test.admin, { vms, mode: 'best-effort' });
    expect(best.outcome).toBe('partial');
    expect(best.decisions.map(({ outcome }) => outcome)).toEqual(['placed', 'placed', 'refused']);
    expect((await simulatePlacement(test.cp, test.admin, { vms, mode: 'all-or-nothing' })).outcome).toBe('refused');
  });

  it('tells people of one project whether it fits, and names no host', async () => {
    const [hostId] = await hosts(1);
    await remember();
    const operator = await test.actor('operator', (await aProject(test)).id);
    const vm = { flavorId: from.flavor.id, count: 2, hardware: PLAIN_HARDWARE };
    const answer = await simulatePlacement(test.cp, operator, { vms: [vm], mode: 'best-effort' });
    expect(answer.decisions.map(({ summary }) => summary)).toEqual([
      'it fits on 1 of 1 hosts',
      'no host has room for it (hosts that refused: capacity-vcpus 1)',
    ]);
    expect(JSON.stringify(answer)).not.toContain(hostId);
    const named = simulatePlacement(test.cp, operator, {
      vms: [{ ...vm, hostId: hostId as HostId }],
      mode: 'best-effort',
    });
    await expect(named).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('asks for what the hardware of the VM needs: dedicated CPUs and traits', async () => {
    const [hostId] = await hosts(4);
    await test.sql(`UPDATE hosts SET traits = '{cpu-model:Haswell-v4}', traits_sha256 = 'h' WHERE id = $1`, [hostId]);
    await remember();
    const outcomeOf = async (hardware: unknown) => {
      const vms = [{ flavorId: from.flavor.id, count: 1, hardware: VmHardware.parse(hardware) }];
      const { decisions } = await simulatePlacement(test.cp, test.admin, { vms, mode: 'best-effort' });
      return [decisions[0]?.outcome, decisions[0]?.rejections.map(({ filter }) => filter)];
    };
    expect(await outcomeOf({ cpu: { model: 'Haswell-v4' } })).toEqual(['placed', []]);
    expect(await outcomeOf({ cpu: { model: 'EPYC-v4' } })).toEqual(['refused', ['traits']]);
    expect(await outcomeOf({ cpuPolicy: { policy: 'dedicated' } })).toEqual(['refused', ['capacity-dedicated-cpus']]);
  });

  it('refuses an unknown flavor, naming the field', async () => {
    const vms = [{ flavorId: newId<typeof from.flavor.id>(), count: 1, hardware: PLAIN_HARDWARE }];
    const asked = simulatePlacement(test.cp, test.admin, { vms, mode: 'best-effort' });
    await expect(asked).rejects.toMatchObject({
      code: 'not_found',
      details: { fields: [{ field: 'body.vms.0.flavorId' }] },
    });
  });
});

describe('capacity', () => {
  it('says how many more VMs of a flavor fit, by rack', async () => {
    const [first] = await hosts(3, 2);
    await vmsOn(first as HostId, 1);
    await remember();
    const answer = await getCapacity(test.cp, test.admin, { flavorId: from.flavor.id, level: 'rack' });
    expect(answer).toMatchObject({
      count: 4,
      isAtLeast: false,
      domains: [
        { name: 'r0', count: 2 },
        { name: 'r1', count: 2 },
      ],
    });
  });
});

describe('a simulated failure', () => {
  it('says which running VMs would find room elsewhere, and which would not and why', async () => {
    const [lost, other] = await hosts(4, 2);
    await vmsOn(lost as HostId, 3);
    await vmsOn(lost as HostId, 1, 'stopped');
    await remember();
    const answer = await simulateFailure(test.cp, test.admin, { level: 'rack', name: 'r0' });
    expect(answer.lostHosts.map(({ hostId }) => hostId)).toEqual([lost]);
    expect(answer.restarts.map(({ toHostId }) => toHostId)).toEqual([other, other]);
    expect(answer.stranded).toHaveLength(1);
    expect(answer.stranded[0]?.reason).toContain('vCPU');
    const unknown = simulateFailure(test.cp, test.admin, { level: 'zone', name: 'nowhere' });
    await expect(unknown).rejects.toMatchObject({ code: 'not_found' });
  });
});

/** A VM on the host, and how to give its port a floating address. */
async function aReachableVm(hostId: HostId): Promise<{ readonly vmId: string; reach(): Promise<void> }> {
  const { cp, admin } = test;
  const project = await aProject(test);
  const { vmId } = await aVm(test, from, 'stopped', { hostId, projectId: project.id });
  const named = { name: aName('network'), projectId: project.id, cidr: '10.9.0.0/24', kind: 'nat' as const };
  const { id: networkId } = await createNetwork(cp, admin, named);
  const { id: portId } = await createPort(cp, admin, networkId, { securityGroupIds: [], vmId });
  const { id: rangeId } = await createFloatingRange(cp, admin, { name: aName('range'), addresses: '198.18.0.0/28' });
  return {
    vmId,
    reach: async () => {
      await createFloatingAddress(cp, admin, { projectId: project.id, rangeId, portId });
    },
  };
}
const canFloat = (hostId: HostId) =>
  test.sql(`UPDATE hosts SET traits = '{network:floating}', traits_sha256 = 'floating' WHERE id = $1`, [hostId]);

describe('a VM that is reached by a floating address', () => {
  it('is planned only onto hosts that can answer for it, and blocks with that reason', async () => {
    const [drained, without, able] = (await hosts(3, 9, 9)) as [HostId, HostId, HostId];
    await canFloat(drained);
    const { vmId, reach } = await aReachableVm(drained);
    await test.sql(`UPDATE hosts SET state = 'cordoned' WHERE id = $1`, [able]);
    const plan = () => planHostDrain(test.cp, test.admin, drained, { moveCountMax: 10 });
    const targets = async () => (await plan()).steps.flatMap(({ moves }) => moves.map(({ toHostId }) => toHostId));
    expect(await targets()).toEqual([without]);
    await reach();
    await remember();
    const blocked = await plan();
    expect(blocked).toMatchObject({ outcome: 'blocked', blockers: [{ vmId }] });
    expect(blocked.blockers[0]?.reason).toContain('network:floating');
    await canFloat(able);
    await test.sql(`UPDATE hosts SET state = 'active' WHERE id = $1`, [able]);
    expect(await targets()).toEqual([able]);
  });

  it('stays where it is when only hosts that cannot answer for it would make the fleet even', async () => {
    const [full] = (await hosts(2, 9)) as [HostId];
    await canFloat(full);
    const { vmId, reach } = await aReachableVm(full);
    await vmsOn(full, 1);
    await reach();
    await remember();
    const even = { goal: 'even', moveCountMax: 10, toleranceShare: 0.1 } as const;
    const { steps } = await planFleetRebalance(test.cp, test.admin, even);
    const moved = steps.flatMap(({ moves }) => moves.map((move) => move.vmId));
    expect(moved).toHaveLength(1);
    expect(moved).not.toContain(vmId);
  });
});

describe('a plan to drain a host', () => {
  it('moves each VM to a host that has room, or names the VMs that cannot go', async () => {
    const [drained, other] = await hosts(3, 2);
    await vmsOn(drained as HostId, 2);
    await remember();
    const plan = await planHostDrain(test.cp, test.admin, drained as HostId, { moveCountMax: 10 });
    expect(plan).toMatchObject({ outcome: 'plan', cost: { moveCount: 2 }, blockers: [] });
    expect(plan.steps.flatMap(({ moves }) => moves.map(({ toHostId, how }) => [toHostId, how]))).toEqual([
      [other, 'live'],
      [other, 'live'],
    ]);
    expect((await planHostDrain(test.cp, test.admin, other as HostId, { moveCountMax: 10 })).outcome).toBe(
      'nothing-to-do',
    );
  });

  it('is blocked by a VM in transition, and by want of room', async () => {
    const [drained] = await hosts(3, 1);
    await vmsOn(drained as HostId, 1, 'stopping');
    await remember();
    const blocked = await planHostDrain(test.cp, test.admin, drained as HostId, { moveCountMax: 10 });
    expect(blocked).toMatchObject({ outcome: 'blocked', isProven: true, blockers: [{ vmName: expect.any(String) }] });
    expect(blocked.blockers[0]?.reason).toContain('it is stopping');
    await test.sql(`UPDATE vms SET state = 'running'`);
    await test.sql(`UPDATE hosts SET state = 'cordoned' WHERE id <> $1`, [drained]);
    const full = await planHostDrain(test.cp, test.admin, drained as HostId, { moveCountMax: 10 });
    expect(full.outcome).toBe('blocked');
    expect(full.blockers[0]?.vmName).toMatch(/^vm-/);
  });
});

describe('a plan to rebalance the fleet', () => {
  it('moves VMs from the fullest hosts to the emptiest, and leaves an even fleet alone', async () => {
    const [full, empty] = await hosts(4, 4);
    await vmsOn(full as HostId, 4);
    await remember();
    const request = { goal: 'even', moveCountMax: 10, toleranceShare: 0.1 } as const;
    const plan = await planFleetRebalance(test.cp, test.admin, request);
    expect(plan).toMatchObject({ outcome: 'plan', cost: { moveCount: 2 } });
    expect(plan.after.fullestShare).toBeLessThan(plan.before.fullestShare);
    expect(new Set(plan.steps.flatMap(({ moves }) => moves.map(({ toHostId }) => toHostId)))).toEqual(new Set([empty]));
    const even = await planFleetRebalance(test.cp, test.admin, { ...request, toleranceShare: 1 });
    expect(even).toMatchObject({ outcome: 'good-enough', steps: [] });
  });
});
