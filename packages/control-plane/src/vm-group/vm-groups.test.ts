import { type CreateVmGroupRequest, type Project, VM_GROUPS_PER_PROJECT_MAX, VmGroupRule } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aName, aProject } from '../../test/world/fleet-builder.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import { createVmGroup } from './create-vm-group.js';
import { deleteVmGroup } from './delete-vm-group.js';
import { updateVmGroup } from './update-vm-group.js';
import { getVmGroup, listVmGroups } from './vm-groups.js';

let test: TestControlPlane;
let project: Project;
beforeAll(async () => {
  test = await openTestControlPlane();
  project = await aProject(test);
});
afterAll(() => test.close());

const APART = VmGroupRule.parse({ kind: 'anti-affinity', level: 'host' });
const create = (fields: Partial<CreateVmGroupRequest> = {}) =>
  createVmGroup(test.cp, test.admin, {
    name: aName('group'),
    projectId: project.id,
    description: '',
    rules: [APART],
    ...fields,
  });

describe('a VM group', () => {
  it('keeps its rules in order, with what was not said', async () => {
    const rules = [
      { kind: 'spread', level: 'rack' },
      { kind: 'affinity', level: 'zone', strength: 'soft' },
    ];
    const group = await create({ rules: rules.map((rule) => VmGroupRule.parse(rule)) });
    expect(group).toMatchObject({ generation: 1, vmCount: 0, violations: [], projectId: project.id });
    expect(group.rules).toEqual([
      { kind: 'spread', level: 'rack', strength: 'hard', skewMax: 1 },
      { kind: 'affinity', level: 'zone', strength: 'soft', skewMax: null },
    ]);
    expect(await getVmGroup(test.cp, test.admin, group.id)).toEqual(group);
    const { violations, ...listed } = group;
    expect(violations).toEqual([]);
    expect((await listVmGroups(test.cp, test.admin, { limit: 50, name: group.name })).items).toEqual([listed]);
  });

  it('changes what is named, counts it, and heeds If-Match', async () => {
    const group = await create();
    const changed = await updateVmGroup(test.cp, test.admin, group.id, { description: 'web' }, { ifMatch: 1 });
    expect(changed).toMatchObject({ description: 'web', generation: 2, rules: group.rules, name: group.name });
    const rules = [VmGroupRule.parse({ kind: 'spread', level: 'zone', skewMax: 3 })];
    expect(await updateVmGroup(test.cp, test.admin, group.id, { rules })).toMatchObject({
      generation: 3,
      rules: [{ kind: 'spread', level: 'zone', strength: 'hard', skewMax: 3 }],
    });
    await expect(updateVmGroup(test.cp, test.admin, group.id, {}, { ifMatch: 1 })).rejects.toMatchObject({
      code: 'precondition_failed',
    });
  });

  it('is made once under an idempotency key', async () => {
    const idempotency = { key: aName('key'), requestSha256: Buffer.alloc(32, 1) };
    const request = { name: aName('group'), projectId: project.id, description: '', rules: [APART] };
    const made = await Promise.all([1, 2, 3].map(() => createVmGroup(test.cp, test.admin, request, { idempotency })));
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
  });

  it('has a name of its own in its project', async () => {
    const [one, two] = [await create(), await create()];
    const taken = { code: 'already_exists', details: { fields: [{ field: 'body.name' }] } };
    await expect(create({ name: one.name })).rejects.toMatchObject(taken);
    await expect(updateVmGroup(test.cp, test.admin, two.id, { name: one.name })).rejects.toMatchObject(taken);
    await create({ name: one.name, projectId: (await aProject(test)).id });
  });

  it('is not there for those who do not see its project', async () => {
    const group = await create();
    const stranger = await test.actor('operator', (await aProject(test)).id);
    const nothing = { code: 'not_found' };
    await expect(getVmGroup(test.cp, stranger, group.id)).rejects.toMatchObject(nothing);
    await expect(updateVmGroup(test.cp, stranger, group.id, {})).rejects.toMatchObject(nothing);
    await expect(deleteVmGroup(test.cp, stranger, group.id)).rejects.toMatchObject(nothing);
    expect((await listVmGroups(test.cp, stranger, { limit: 50 })).items).toEqual([]);
  });

  it('is deleted, and tells of its life in events', async () => {
    const group = await create();
    await updateVmGroup(test.cp, test.admin, group.id, { description: 'web' });
    await deleteVmGroup(test.cp, test.admin, group.id);
    await expect(getVmGroup(test.cp, test.admin, group.id)).rejects.toMatchObject({ code: 'not_found' });
    const events = await test.sql('SELECT type FROM events WHERE resource_id = $1 ORDER BY seq', [group.id]);
    expect(events).toEqual(['created', 'changed', 'deleted'].map((what) => ({ type: `vm-group.${what}` })));
  });

  it('is refused when its project has as many as it may, also when many come at once', async () => {
    const { id: projectId } = await aProject(test);
    await test.sql(
      `INSERT INTO vm_groups (id, project_id, name, rules)
       SELECT gen_random_uuid(), $1, 'g-' || n, '[]' FROM generate_series(1, $2::int) n`,
      [projectId, VM_GROUPS_PER_PROJECT_MAX - 1],
    );
    const ends = await Promise.allSettled(Array.from({ length: 5 }, () => create({ projectId })));
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const end of ends) if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'quota_exceeded' });
  });
});
