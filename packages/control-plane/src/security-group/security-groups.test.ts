import { type Project, type SecurityGroupRule as Rule, SecurityGroupRule } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aName, aProject } from '../../test/world/fleet-builder.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import { createNetwork } from '../network/create-network.js';
import { createPort } from '../network/create-port.js';
import { createSecurityGroup } from './create-security-group.js';
import { deleteSecurityGroup } from './delete-security-group.js';
import { getSecurityGroup, listSecurityGroups } from './security-groups.js';
import { updateSecurityGroup } from './update-security-group.js';

let test: TestControlPlane;
let project: Project;
beforeAll(async () => {
  test = await openTestControlPlane();
  project = await aProject(test);
});
afterAll(() => test.close());

const rule = (fields: object): Rule => SecurityGroupRule.parse({ direction: 'ingress', ...fields });
const create = (rules: Rule[] = [], fields: object = {}) =>
  createSecurityGroup(test.cp, test.admin, {
    name: aName('group'),
    projectId: project.id,
    description: '',
    rules,
    ...fields,
  });
const NOBODY = '019a0000-0000-7000-8000-000000000001';

describe('a security group', () => {
  it('keeps its rules in order, with what was not said', async () => {
    const peer = await create();
    const group = await create([
      rule({ protocol: 'tcp', portMin: 22, cidr: '192.0.2.7/32' }),
      rule({ protocol: 'udp', portMin: 1000, portMax: 2000, cidr: '198.51.100.0/24' }),
      rule({ peerGroupId: peer.id }),
      rule({ direction: 'egress', cidr: '0.0.0.0/0' }),
    ]);
    const any = { direction: 'ingress', protocol: 'any', portMin: null, portMax: null, cidr: null, peerGroupId: null };
    expect(group.rules).toEqual([
      { ...any, protocol: 'tcp', portMin: 22, portMax: 22, cidr: '192.0.2.7/32' },
      { ...any, protocol: 'udp', portMin: 1000, portMax: 2000, cidr: '198.51.100.0/24' },
      { ...any, peerGroupId: peer.id },
      { ...any, direction: 'egress', cidr: '0.0.0.0/0' },
    ]);
    expect(await getSecurityGroup(test.cp, test.admin, group.id)).toEqual(group);
    const listed = await listSecurityGroups(test.cp, test.admin, { limit: 50, name: group.name });
    expect(listed.items).toEqual([group]);
  });

  it('gets other rules as a whole, and keeps those that are not spoken of', async () => {
    const group = await create([rule({ protocol: 'icmp' })]);
    const renamed = await updateSecurityGroup(test.cp, test.admin, group.id, { description: 'web' }, { ifMatch: 1 });
    expect(renamed).toMatchObject({ description: 'web', generation: 2, rules: group.rules });
    const emptied = await updateSecurityGroup(test.cp, test.admin, group.id, { rules: [] });
    expect(emptied).toMatchObject({ rules: [], generation: 3, name: group.name });
    await expect(
      updateSecurityGroup(test.cp, test.admin, group.id, { rules: [] }, { ifMatch: 1 }),
    ).rejects.toMatchObject({ code: 'precondition_failed' });
  });

  it('may name itself in a rule, and is deleted all the same', async () => {
    const group = await create();
    const own = await updateSecurityGroup(test.cp, test.admin, group.id, { rules: [rule({ peerGroupId: group.id })] });
    expect(own.rules[0]?.peerGroupId).toBe(group.id);
    await deleteSecurityGroup(test.cp, test.admin, group.id);
    await expect(getSecurityGroup(test.cp, test.admin, group.id)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('cannot name one that is not there, nor one of another project, and is left as it was', async () => {
    const foreign = await create([], { projectId: (await aProject(test)).id });
    const group = await create([rule({ protocol: 'icmp' })]);
    for (const peerGroupId of [NOBODY, foreign.id]) {
      const rules = [rule({}), rule({ peerGroupId })];
      const refusal = { code: 'not_found', details: { fields: [{ field: 'body.rules.1.peerGroupId' }] } };
      await expect(create(rules)).rejects.toMatchObject(refusal);
      await expect(updateSecurityGroup(test.cp, test.admin, group.id, { rules })).rejects.toMatchObject(refusal);
    }
    expect(await getSecurityGroup(test.cp, test.admin, group.id)).toEqual(group);
  });

  it('is kept while a port has it or a rule of another names it', async () => {
    const group = await create();
    const user = await create([rule({ peerGroupId: group.id })]);
    await expect(deleteSecurityGroup(test.cp, test.admin, group.id)).rejects.toMatchObject({
      code: 'in_use',
      message: expect.stringContaining(user.name),
    });
    await deleteSecurityGroup(test.cp, test.admin, user.id);
    const network = await createNetwork(test.cp, test.admin, {
      name: aName('network'),
      projectId: project.id,
      kind: 'nat',
      cidr: '10.1.0.0/24',
    });
    await createPort(test.cp, test.admin, network.id, { securityGroupIds: [group.id] });
    await expect(deleteSecurityGroup(test.cp, test.admin, group.id)).rejects.toMatchObject({
      code: 'in_use',
      message: expect.stringContaining('1 ports'),
    });
  });

  it('keeps its name for itself within the project, and is invisible to others', async () => {
    const group = await create();
    await expect(create([], { name: group.name })).rejects.toMatchObject({ code: 'already_exists' });
    const stranger = await test.actor('operator', (await aProject(test)).id);
    const nothing = { code: 'not_found' };
    await expect(getSecurityGroup(test.cp, stranger, group.id)).rejects.toMatchObject(nothing);
    await expect(updateSecurityGroup(test.cp, stranger, group.id, { rules: [] })).rejects.toMatchObject(nothing);
    await expect(deleteSecurityGroup(test.cp, stranger, group.id)).rejects.toMatchObject(nothing);
    expect((await listSecurityGroups(test.cp, stranger, { limit: 50 })).items).toEqual([]);
  });

  it('is made once under an Idempotency-Key', async () => {
    const idempotency = { key: aName('key'), requestSha256: Buffer.alloc(32) };
    const request = { name: aName('group'), projectId: project.id, description: '', rules: [] };
    const make = () => createSecurityGroup(test.cp, test.admin, request, { idempotency });
    expect((await make()).id).toBe((await make()).id);
  });
});
