import { DomainError, type VmGroupRule } from '@kvorum/schema';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ControlPlane } from '../../src/control-plane.js';
import { createVm } from '../../src/vm/create-vm.js';
import { createVmGroup } from '../../src/vm-group/create-vm-group.js';
import { aHost, aName, type Ingredients, ingredients, vmRequest } from '../world/fleet-builder.js';
import { openTestControlPlane, type TestControlPlane } from '../world/test-control-plane.js';

let test: TestControlPlane;
let from: Ingredients;
let processes: ControlPlane[];
beforeEach(async () => {
  test = await openTestControlPlane();
  from = await ingredients(test);
  processes = [test.cp, test.anotherProcess(), test.anotherProcess()];
});
afterEach(() => test.close());

const groupWith = (rule: Omit<VmGroupRule, 'strength'>) =>
  createVmGroup(test.cp, test.admin, { name: aName('group'), description: '', rules: [{ ...rule, strength: 'hard' }] });

/** As a client does: asked to try again, it tries again. */
async function createPatiently(cp: ControlPlane, vmGroupId: string): Promise<'placed' | 'no_capacity'> {
  for (;;) {
    try {
      await createVm(cp, test.admin, vmRequest(from, { vmGroupId: vmGroupId as never }));
      return 'placed';
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      if (error.code === 'no_capacity') return error.code;
      if (error.code !== 'unavailable') throw error;
    }
  }
}

async function race(vmGroupId: string, countPerProcess: number) {
  const ends = await Promise.all(
    processes.flatMap((cp) => Array.from({ length: countPerProcess }, () => createPatiently(cp, vmGroupId))),
  );
  return ends.filter((end) => end === 'placed').length;
}

const countsBy = async (vmGroupId: string, domain: string) => {
  const rows = await test.sql(
    `SELECT ${domain} AS domain, count(*)::int AS n FROM vms v JOIN reservations r ON r.vm_id = v.id
       JOIN hosts h ON h.id = r.host_id WHERE v.vm_group_id = $1 GROUP BY 1 ORDER BY 1`,
    [vmGroupId],
  );
  return rows.map(({ n }) => n);
};

describe('VMs of one group that three processes place at the same moment', () => {
  it('are never on one host if they are to be apart, and take each host that there is', async () => {
    for (let n = 0; n < 8; n += 1) await aHost(test);
    const group = await groupWith({ kind: 'anti-affinity', level: 'host' });
    expect(await race(group.id, 8)).toBe(8);
    expect(await countsBy(group.id, 'h.id')).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
  });

  it('are all in one rack if they are to be together, although none was there first', async () => {
    for (const rack of ['a', 'b', 'c', 'd']) for (let n = 0; n < 2; n += 1) await aHost(test, { labels: { rack } });
    const group = await groupWith({ kind: 'affinity', level: 'rack' });
    expect(await race(group.id, 6)).toBe(18);
    expect(await countsBy(group.id, "h.labels->>'rack'")).toEqual([18]);
  });

  it('are spread evenly while they come', async () => {
    for (const zone of ['a', 'b', 'c']) await aHost(test, { labels: { zone } });
    const group = await groupWith({ kind: 'spread', level: 'zone', skewMax: 1 });
    expect(await race(group.id, 4)).toBe(12);
    expect(await countsBy(group.id, "h.labels->>'zone'")).toEqual([4, 4, 4]);
  });

  it('are seen by a process that did not place them, and so are hosts that come', async () => {
    await aHost(test);
    const group = await groupWith({ kind: 'anti-affinity', level: 'host' });
    const other = test.anotherProcess();
    expect(await createPatiently(test.cp, group.id)).toBe('placed');
    expect(await createPatiently(other, group.id)).toBe('no_capacity');
    await aHost(test);
    expect(await createPatiently(other, group.id)).toBe('placed');
    expect(await createPatiently(test.cp, group.id)).toBe('no_capacity');
    expect(await countsBy(group.id, 'h.id')).toEqual([1, 1]);
  });
});
