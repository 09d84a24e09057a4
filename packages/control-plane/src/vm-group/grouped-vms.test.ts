import { DomainError, type HostId, PLAIN_HARDWARE, type VmGroupId, VmGroupRule, type VmId } from '@kvorum/schema';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  aHost,
  aName,
  aProject,
  aVm,
  type Ingredients,
  ingredients,
  vmRequest,
} from '../../test/world/fleet-builder.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import { listPlacements } from '../placement/placements.js';
import { planHostDrain } from '../placement/plan-moves.js';
import { replayPlacement } from '../placement/replay-placement.js';
import { simulatePlacement } from '../placement/simulate-placement.js';
import { createVm } from '../vm/create-vm.js';
import { placeWaitingVms } from '../vm/place-waiting-vms.js';
import { planVmUpdate, updateVm } from '../vm/update-vm.js';
import { getVm } from '../vm/vms.js';
import { createVmGroup } from './create-vm-group.js';
import { deleteVmGroup } from './delete-vm-group.js';
import { updateVmGroup } from './update-vm-group.js';
import { getVmGroup } from './vm-groups.js';

let test: TestControlPlane;
let from: Ingredients;
beforeEach(async () => {
  test = await openTestControlPlane();
  from = await ingredients(test);
});
afterEach(() => test.close());

const rule = (text: string): VmGroupRule => {
  const [kind, level, strength = 'hard', skewMax] = text.split(':');
  return VmGroupRule.parse({ kind, level, strength, ...(skewMax === undefined ? {} : { skewMax: Number(skewMax) }) });
};
const groupWith = (...rules: string[]) =>
  createVmGroup(test.cp, test.admin, { name: aName('group'), description: '', rules: rules.map(rule) });
const rack = async (name: string, hostCount = 1): Promise<HostId[]> => {
  const ids: HostId[] = [];
  for (let n = 0; n < hostCount; n += 1) ids.push((await aHost(test, { labels: { rack: name } })) as HostId);
  return ids;
};
const vmIn = async (vmGroupId: VmGroupId | undefined, hostId?: HostId) => {
  const { vmId } = await aVm(test, from, 'running', {
    ...(vmGroupId === undefined ? {} : { vmGroupId }),
    ...(hostId === undefined ? {} : { hostId }),
  });
  return vmId;
};
const hostOf = async (vmId: VmId) => (await getVm(test.cp, test.admin, vmId)).hostId;
const refusalOf = (promise: Promise<unknown>): Promise<DomainError> =>
  promise.then(
    () => Promise.reject(new TypeError('it was to be refused')),
    (error: unknown) => (error instanceof DomainError ? error : Promise.reject(error)),
  );

describe('a VM that is created in a group', () => {
  it('keeps all rules of the group, and the refusal names the rule that is in the way', async () => {
    const [[a1], [b1]] = [await rack('a'), await rack('b')];
    const group = await groupWith('anti-affinity:rack', 'spread:host:soft');
    const [one, two] = [await vmIn(group.id), await vmIn(group.id)];
    expect([await hostOf(one), await hostOf(two)].sort()).toEqual([a1, b1].sort());
    const refusal = await refusalOf(createVm(test.cp, test.admin, vmRequest(from, { vmGroupId: group.id })));
    expect(refusal).toMatchObject({
      code: 'no_capacity',
      message: `0 of 2 hosts fit: 2 beside group ${group.name}; smallest change: drop the rack rule of group ${group.name}`,
    });
    expect(refusal.details).toMatchObject({ placement: { remedies: [{ kind: 'drop-rule', hostCount: 2 }] } });
    expect(await getVmGroup(test.cp, test.admin, group.id)).toMatchObject({ vmCount: 2, violations: [] });
  });

  it.each(['anti-affinity:host', 'affinity:rack', 'spread:rack:hard:1', 'spread:host:soft'])(
    'by %s is decided in the same way when its decision is replayed',
    async (text) => {
      await rack('a', 3);
      await rack('b', 3);
      const group = await groupWith(text);
      for (let n = 0; n < 4; n += 1) await createVm(test.cp, test.admin, vmRequest(from, { vmGroupId: group.id }));
      const { items } = await listPlacements(test.cp, test.admin, { limit: 50 });
      expect(items).toHaveLength(4);
      for (const { id } of items)
        expect(await replayPlacement(test.cp, test.admin, id)).toMatchObject({ isSame: true, differences: [] });
    },
  );

  it('is placed by the rules as they are now, and without a rule that is gone', async () => {
    const [a1] = await rack('a');
    const group = await groupWith('anti-affinity:host');
    await vmIn(group.id);
    const another = () => createVm(test.cp, test.admin, vmRequest(from, { vmGroupId: group.id }));
    await expect(another()).rejects.toMatchObject({ code: 'no_capacity' });
    await updateVmGroup(test.cp, test.admin, group.id, { rules: [rule('anti-affinity:host:soft')] });
    expect(await hostOf((await another()).resourceId as VmId)).toBe(a1);
  });

  it('may only name a group of its project', async () => {
    await rack('a');
    const foreign = await createVmGroup(test.cp, test.admin, {
      name: 'web',
      description: '',
      projectId: (await aProject(test)).id,
      rules: [rule('anti-affinity:host')],
    });
    await expect(createVm(test.cp, test.admin, vmRequest(from, { vmGroupId: foreign.id }))).rejects.toMatchObject({
      code: 'not_found',
      details: { fields: [{ field: 'body.vmGroupId' }] },
    });
  });

  it('waits until its group has a place for it, not only until there is room', async () => {
    await rack('a');
    const group = await groupWith('anti-affinity:host');
    await vmIn(group.id);
    const waiting = await createVm(
      test.cp,
      test.admin,
      vmRequest(from, { vmGroupId: group.id, waitForCapacity: { deadlineMs: 60_000, priority: 0 } }),
    );
    expect(await placeWaitingVms(test.cp)).toBe(0);
    expect(await getVm(test.cp, test.admin, waiting.resourceId as VmId)).toMatchObject({
      hostId: null,
      vmGroupId: group.id,
      waiting: { reason: 'no host has room for it (hosts that refused: anti-affinity 1)' },
    });
    const [b1] = await rack('b');
    expect(await placeWaitingVms(test.cp)).toBe(1);
    expect(await hostOf(waiting.resourceId as VmId)).toBe(b1);
  });
});

describe('a group with VMs', () => {
  it('refuses a hard rule that they break, by name; accepts a soft one and shows it', async () => {
    const [a1, a2] = await rack('a', 2);
    const group = await groupWith('anti-affinity:host');
    const vmIds = [await vmIn(group.id, a1), await vmIn(group.id, a2)];
    const names = await Promise.all(vmIds.map(async (vmId) => (await getVm(test.cp, test.admin, vmId)).name));
    const refusal = await refusalOf(
      updateVmGroup(test.cp, test.admin, group.id, {
        rules: [rule('anti-affinity:host'), rule('anti-affinity:rack')],
      }),
    );
    expect(refusal).toMatchObject({
      code: 'conflict_state',
      message: expect.stringContaining(`hard anti-affinity at level rack is broken by ${names.join(', ')}`),
      details: { fields: [{ field: 'body.rules.1' }], violations: [{ vmCount: 2 }] },
    });
    expect(await getVmGroup(test.cp, test.admin, group.id)).toMatchObject({ generation: 1, rules: [{}] });
    const changed = await updateVmGroup(test.cp, test.admin, group.id, { rules: [rule('anti-affinity:rack:soft')] });
    expect(changed.violations).toMatchObject([{ kind: 'anti-affinity', level: 'rack', strength: 'soft', vmCount: 2 }]);
  });

  it('shows a hard rule that is broken since labels of hosts were changed, and may still be renamed', async () => {
    const [[a1], [b1]] = [await rack('a'), await rack('b')];
    const group = await groupWith('anti-affinity:rack');
    await vmIn(group.id, a1);
    await vmIn(group.id, b1);
    await test.sql(`UPDATE hosts SET labels = '{"rack":"a"}' WHERE id = $1`, [b1]);
    const renamed = await updateVmGroup(test.cp, test.admin, group.id, { description: 'new' });
    expect(renamed.violations).toMatchObject([{ strength: 'hard', vmCount: 2 }]);
  });

  it('is kept until they are gone, and forgotten by those who place', async () => {
    await rack('a');
    const group = await groupWith('anti-affinity:host');
    const vmId = await vmIn(group.id);
    await expect(deleteVmGroup(test.cp, test.admin, group.id)).rejects.toMatchObject({
      code: 'in_use',
      details: { vmCount: 1, vms: [{ vmId }] },
    });
    await updateVm(test.cp, test.admin, vmId, { vmGroupId: null, onlyLive: false });
    await deleteVmGroup(test.cp, test.admin, group.id);
    await expect(createVm(test.cp, test.admin, vmRequest(from, { vmGroupId: group.id }))).rejects.toMatchObject({
      code: 'not_found',
    });
    const next = await groupWith('anti-affinity:host');
    await vmIn(next.id);
    expect(await getVmGroup(test.cp, test.admin, next.id)).toMatchObject({ vmCount: 1 });
  });
});

describe('a VM that comes to a group later', () => {
  it('stays where it is, at once, if the rules admit it there', async () => {
    const [[a1], [b1]] = [await rack('a'), await rack('b')];
    const group = await groupWith('anti-affinity:host');
    await vmIn(group.id, a1);
    const [beside, apart] = [await vmIn(undefined, a1), await vmIn(undefined, b1)];
    const join = (vmId: VmId) => updateVm(test.cp, test.admin, vmId, { vmGroupId: group.id, onlyLive: true });
    const refusal = {
      code: 'conflict_state',
      message: expect.stringContaining(`hard anti-affinity at level host of VM group ${group.name}`),
      details: { fields: [{ field: 'body.vmGroupId' }] },
    };
    await expect(join(beside)).rejects.toMatchObject(refusal);
    await expect(
      planVmUpdate(test.cp, test.admin, beside, { vmGroupId: group.id, onlyLive: false }),
    ).rejects.toMatchObject(refusal);
    const plan = await planVmUpdate(test.cp, test.admin, apart, { vmGroupId: group.id, onlyLive: false });
    expect(plan.changes).toMatchObject([{ field: 'vmGroupId', from: null, to: group.id, effect: 'live' }]);
    await join(apart);
    expect(await getVm(test.cp, test.admin, apart)).toMatchObject({ vmGroupId: group.id, hostId: b1 });
    // Whoever is placed next knows of it.
    await expect(createVm(test.cp, test.admin, vmRequest(from, { vmGroupId: group.id }))).rejects.toMatchObject({
      code: 'no_capacity',
    });
  });

  it('of two on one host that come at the same moment, one is refused', async () => {
    const [a1] = await rack('a');
    const group = await groupWith('anti-affinity:host');
    const vmIds = [await vmIn(undefined, a1), await vmIn(undefined, a1), await vmIn(undefined, a1)];
    const ends = await Promise.allSettled(
      vmIds.map((vmId) => updateVm(test.cp, test.admin, vmId, { vmGroupId: group.id, onlyLive: false })),
    );
    expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
  });
});

describe('questions about what would be', () => {
  it('a drain moves no VM beside another one of its group', async () => {
    const [[a1], [b1], [c1]] = [await rack('a'), await rack('b'), await rack('c')];
    const group = await groupWith('anti-affinity:host');
    await vmIn(group.id, a1);
    await vmIn(group.id, b1);
    const plan = await planHostDrain(test.cp, test.admin, a1 as HostId, { moveCountMax: 10 });
    expect(plan.steps.flatMap(({ moves }) => moves.map(({ toHostId }) => toHostId))).toEqual([c1]);
    await test.sql(`UPDATE hosts SET state = 'cordoned' WHERE id = $1`, [c1]);
    expect(await planHostDrain(test.cp, test.admin, a1 as HostId, { moveCountMax: 10 })).toMatchObject({
      outcome: 'blocked',
    });
  });

  it('a simulated placement keeps the rules of the group it names', async () => {
    await rack('a', 2);
    const group = await groupWith('anti-affinity:host');
    await vmIn(group.id);
    const vm = { flavorId: from.flavor.id, count: 2, hardware: PLAIN_HARDWARE, vmGroupId: group.id };
    const answer = await simulatePlacement(test.cp, test.admin, { vms: [vm], mode: 'best-effort' });
    expect(answer.decisions.map(({ outcome }) => outcome)).toEqual(['placed', 'refused']);
  });
});
