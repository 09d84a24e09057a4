import { GIB, type ProjectId } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aProject } from '../../test/world/fleet-builder.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import { withTransaction } from '../database/database.js';
import { ensureDefaultProject } from './default-project.js';
import { returnQuota, takeQuota } from './project.store.js';
import { createProject, getProject, listProjects, updateProjectQuota } from './projects.js';

let test: TestControlPlane;
beforeAll(async () => {
  test = await openTestControlPlane();
});
afterAll(() => test.close());

const ONE = { vmCount: 1, vcpuCount: 2, memoryBytes: GIB, diskBytes: 3 * GIB };
const take = (id: ProjectId) => withTransaction(test.cp.database, (tx) => takeQuota(tx, id, ONE));

describe('a project', () => {
  it('is there from the first start under the name default, once', async () => {
    await Promise.all(Array.from({ length: 3 }, () => ensureDefaultProject(test.cp.database, new Date())));
    const { items } = await listProjects(test.cp, test.admin, { limit: 10, name: 'default' });
    expect(items).toHaveLength(1);
  });

  it('has a name of its own', async () => {
    const { name, quota } = await aProject(test);
    await expect(createProject(test.cp, test.admin, { name, quota })).rejects.toMatchObject({ code: 'already_exists' });
  });

  it('is all that its tokens see of projects', async () => {
    const [own, other] = [await aProject(test), await aProject(test)];
    const member = await test.actor('viewer', own.id);
    expect((await listProjects(test.cp, member, { limit: 500 })).items).toEqual([own]);
    await expect(getProject(test.cp, member, other.id)).rejects.toMatchObject({ code: 'not_found' });
    await expect(updateProjectQuota(test.cp, member, own.id, own.quota)).rejects.toMatchObject({ code: 'forbidden' });
  });
});

describe('quota', () => {
  it.each([
    ['VMs', { vmCount: 0 }],
    ['vCPUs', { vcpuCount: 1 }],
    ['memory', { memoryBytes: GIB - 1 }],
    ['disk', { diskBytes: 3 * GIB - 1 }],
  ])('is taken whole or not at all: too few %s', async (_, quota) => {
    const { id } = await aProject(test, quota);
    expect(await take(id)).toBe(false);
    expect((await getProject(test.cp, test.admin, id)).used).toEqual({
      vmCount: 0,
      vcpuCount: 0,
      memoryBytes: 0,
      diskBytes: 0,
    });
  });

  it('is given to exactly as many as it lasts for', async () => {
    const { id } = await aProject(test, { vcpuCount: 9 });
    const taken = await Promise.all(Array.from({ length: 12 }, () => take(id)));
    expect(taken.filter(Boolean)).toHaveLength(4);
    await withTransaction(test.cp.database, (tx) => returnQuota(tx, id, ONE));
    expect((await getProject(test.cp, test.admin, id)).used).toEqual({
      vmCount: 3,
      vcpuCount: 6,
      memoryBytes: 3 * GIB,
      diskBytes: 9 * GIB,
    });
  });

  it('cannot be given back more than was taken', async () => {
    const { id } = await aProject(test);
    await expect(withTransaction(test.cp.database, (tx) => returnQuota(tx, id, ONE))).rejects.toThrow(/check/);
  });

  it('may be set below what is used: nothing is taken away, and nothing more is given', async () => {
    const { id, quota } = await aProject(test);
    await take(id);
    const lowered = await updateProjectQuota(test.cp, test.admin, id, { ...quota, vmCount: 0 });
    expect(lowered).toMatchObject({ quota: { vmCount: 0 }, used: { vmCount: 1 } });
    expect(await take(id)).toBe(false);
  });
});
