import type { HostGroup, HostId, VmId } from '@kvorum/schema';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aHost, aName, aVm, type Ingredients, ingredients, vmRequest } from '../../test/world/fleet-builder.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import { listPlacements } from '../placement/placements.js';
import { replayPlacement } from '../placement/replay-placement.js';
import { simulateFailure } from '../placement/simulate-failure.js';
import { createVm } from '../vm/create-vm.js';
import { updateVm } from '../vm/update-vm.js';
import { getVm } from '../vm/vms.js';
import { createHostGroup, deleteHostGroup, updateHostGroup } from './change-host-group.js';

let test: TestControlPlane;
let from: Ingredients;
beforeEach(async () => {
  test = await openTestControlPlane();
  from = await ingredients(test);
});
afterEach(() => test.close());

/** A group of hosts with room for so many VMs each. */
async function groupOf(
  vmCounts: readonly number[],
  fields: Partial<Pick<HostGroup, 'policy' | 'reserve'>> = {},
): Promise<HostGroup> {
  const hostIds: HostId[] = [];
  for (const vmCount of vmCounts) hostIds.push((await aHost(test, { vmCount })) as HostId);
  const group = await createHostGroup(test.cp, test.admin, {
    name: aName('group'),
    description: '',
    policy: 'pack',
    reserve: { hostFailures: 0 },
    hostIds: [],
    allowBaselineLoss: false,
    ...fields,
  });
  // These hosts report by rows alone: they have said nothing of their processors.
  await test.sql('UPDATE hosts SET host_group_id = $1 WHERE id = ANY ($2)', [group.id, hostIds]);
  return { ...group, hostIds };
}
const change = (group: HostGroup, fields: object) =>
  updateHostGroup(test.cp, test.admin, group.id, {
    addHostIds: [],
    removeHostIds: [],
    allowBaselineLoss: true,
    ...fields,
  });
const create = (highAvailability = true) => createVm(test.cp, test.admin, vmRequest(from, { highAvailability }));
/** Until one is refused. */
async function createAll(highAvailability: boolean): Promise<{ count: number; refusal: unknown }> {
  for (let count = 0; ; count += 1) {
    const end = await create(highAvailability).then(
      () => null,
      (error: unknown) => error,
    );
    if (end !== null) return { count, refusal: end };
  }
}

describe('a host group with a reserve', () => {
  it.each([
    [0, 6],
    [1, 4],
    [2, 2],
  ])('of %i hosts takes highly available VMs as far as their loss can be borne', async (hostFailures, expected) => {
    const group = await groupOf([2, 2, 2], { reserve: { hostFailures } });
    const { count, refusal } = await createAll(true);
    expect(count).toBe(expected);
    if (hostFailures === 0) return;
    expect(refusal).toMatchObject({
      code: 'no_capacity',
      message: expect.stringContaining(`in host group ${group.name}, which would lose its HA reserve`),
      details: {
        placement: { rejections: expect.arrayContaining([expect.objectContaining({ filter: 'ha-reserve' })]) },
      },
    });
    const { verdicts } = (refusal as { details: { placement: { verdicts: { objections: { reason: string }[] }[] } } })
      .details.placement;
    const reasons = verdicts.flatMap(({ objections }) => objections.map(({ reason }) => reason));
    expect(reasons).toContainEqual(
      expect.stringContaining(`keeps room for the loss of any ${hostFailures} of its 3 hosts: if `),
    );
  });

  it('keeps room from other VMs as well, and gives it to all once it has no reserve', async () => {
    const group = await groupOf([1, 1], { reserve: { hostFailures: 1 } });
    expect((await createAll(true)).count).toBe(1);
    expect((await createAll(false)).count).toBe(0);
    await change(group, { reserve: { hostFailures: 0 } });
    expect((await createAll(false)).count).toBe(1);
  });

  it('counts a VM from when it is said to be highly available, and not any more when it is not', async () => {
    await groupOf([1, 1], { reserve: { hostFailures: 1 } });
    const { vmId } = await aVm(test, from, 'running', { highAvailability: false });
    await updateVm(test.cp, test.admin, vmId, { highAvailability: true, onlyLive: true });
    expect(await getVm(test.cp, test.admin, vmId)).toMatchObject({ highAvailability: true });
    await expect(create(false)).rejects.toMatchObject({ code: 'no_capacity' });
    await test.sql(`UPDATE vms SET state = 'running' WHERE id = $1`, [vmId]);
    await updateVm(test.cp, test.admin, vmId, { highAvailability: false, onlyLive: true });
    await create(false);
  });

  it('decides in the same way when its decisions are replayed', async () => {
    await groupOf([2, 2, 2], { reserve: { hostFailures: 1 } });
    await createAll(true);
    const { items } = await listPlacements(test.cp, test.admin, { limit: 50 });
    expect(items).toHaveLength(5);
    for (const { id } of items)
      expect(await replayPlacement(test.cp, test.admin, id)).toMatchObject({ isSame: true, differences: [] });
  });

  it('cannot ask for more losses than can be tried', async () => {
    const group = await groupOf(Array.from({ length: 33 }, () => 1));
    await expect(change(group, { reserve: { hostFailures: 3 } })).rejects.toMatchObject({
      code: 'conflict_state',
      details: { fields: [{ field: 'body.reserve.hostFailures', message: expect.stringContaining('5456 ways') }] },
    });
    await change(group, { reserve: { hostFailures: 2 } });
  });
});

describe('the policy of a host group', () => {
  it.each([
    ['pack', 1],
    ['spread', 3],
  ] as const)('%s puts three VMs on %i of three hosts', async (policy, hostCount) => {
    const group = await groupOf([10, 10, 10]);
    await change(group, { policy });
    const hostIds = new Set<string | null>();
    for (let n = 0; n < 3; n += 1) {
      const { resourceId } = await create(false);
      hostIds.add((await getVm(test.cp, test.admin, resourceId as VmId)).hostId);
    }
    expect(hostIds.size).toBe(hostCount);
  });

  it('goes with its group', async () => {
    const group = await groupOf([10, 10], { policy: 'spread' });
    await create(false);
    await change(group, { removeHostIds: group.hostIds });
    await deleteHostGroup(test.cp, test.admin, group.id);
    const [one, two] = [await create(false), await create(false)];
    const hostOf = async ({ resourceId }: { resourceId: string }) =>
      (await getVm(test.cp, test.admin, resourceId as VmId)).hostId;
    expect(await hostOf(one)).toBe(await hostOf(two));
  });
});

describe('a simulated failure', () => {
  it('restarts highly available VMs first and inside their group, others with the room that is left', async () => {
    const group = await groupOf([2, 1], { reserve: { hostFailures: 1 } });
    const [lost, spare] = group.hostIds as [HostId, HostId];
    const outside = await aHost(test, { vmCount: 1 });
    const important = await aVm(test, from, 'running', { hostId: lost, highAvailability: true });
    const other = await aVm(test, from, 'running', { hostId: lost });
    const { restarts, stranded } = await simulateFailure(test.cp, test.admin, { level: 'host', name: lost });
    expect(restarts).toMatchObject([
      { vmId: important.vmId, toHostId: spare, isHighlyAvailable: true },
      { vmId: other.vmId, toHostId: outside, isHighlyAvailable: false },
    ]);
    expect(stranded).toEqual([]);
  });
});
