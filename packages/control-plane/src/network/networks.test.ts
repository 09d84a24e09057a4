import type { CreateNetworkRequest, NetworkKind, Project } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aHost, aName, aProject, aVm, ingredients } from '../../test/world/fleet-builder.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import { withTransaction } from '../database/database.js';
import { createSecurityGroup } from '../security-group/create-security-group.js';
import { markVmDeleted } from '../vm/vm-intent.store.js';
import { createNetwork } from './create-network.js';
import { createPort } from './create-port.js';
import { deleteNetwork } from './delete-network.js';
import { deletePort } from './delete-port.js';
import { getNetwork, listNetworks } from './networks.js';
import { getPort, listPorts } from './ports.js';
import { updateNetwork } from './update-network.js';
import { updatePort } from './update-port.js';

let test: TestControlPlane;
let project: Project;
beforeAll(async () => {
  test = await openTestControlPlane();
  project = await aProject(test);
});
afterAll(() => test.close());

let subnetCount = 0;
/** A range that no other test has. */
const aRange = (length = 24): string => {
  subnetCount += 1;
  return `10.${subnetCount}.0.0/${length}`;
};
const create = (fields: Partial<CreateNetworkRequest> = {}) =>
  createNetwork(test.cp, test.admin, {
    name: aName('network'),
    projectId: project.id,
    kind: 'nat' as NetworkKind,
    cidr: aRange(),
    ...fields,
  });
const portOn = (networkId: string, fields = {}) =>
  createPort(test.cp, test.admin, networkId as never, { securityGroupIds: [], ...fields });

describe('a network', () => {
  it('gets what was not said: gateway, domain and MTU', async () => {
    const network = await create({ name: 'shop', cidr: '10.200.0.0/20' });
    expect(network).toMatchObject({
      gateway: '10.200.0.1',
      dnsDomain: 'shop.internal',
      mtu: 1500,
      vni: null,
      portCount: 0,
      generation: 1,
    });
    expect(await getNetwork(test.cp, test.admin, network.id)).toEqual(network);
    const { items } = await listNetworks(test.cp, test.admin, { limit: 50, name: 'shop' });
    expect(items).toEqual([network]);
  });

  it('that is an overlay has a number of its own, never given out again, and room for the outer headers', async () => {
    const first = await create({ kind: 'vxlan' });
    const second = await create({ kind: 'vxlan' });
    await deleteNetwork(test.cp, test.admin, second.id);
    const third = await create({ kind: 'vxlan' });
    expect(first.mtu).toBe(1450);
    expect(new Set([first.vni, second.vni, third.vni]).size).toBe(3);
    expect(first.vni).toBeGreaterThanOrEqual(4096);
  });

  it('is refused when it overlaps another of the project, by the name of that one; other projects do not matter', async () => {
    const network = await create({ cidr: '10.201.0.0/20' });
    for (const cidr of ['10.201.0.0/20', '10.201.8.0/24', '10.201.0.0/16']) {
      await expect(create({ cidr })).rejects.toMatchObject({
        code: 'conflict_state',
        message: expect.stringContaining(network.name),
        details: { fields: [{ field: 'body.cidr' }] },
      });
    }
    const other = await aProject(test);
    expect((await create({ cidr: '10.201.0.0/20', projectId: other.id })).cidr).toBe('10.201.0.0/20');
  });

  it('of several that overlap and are asked for at the same time, is made once', async () => {
    const ends = await Promise.allSettled(
      ['10.202.0.0/20', '10.202.0.0/24', '10.202.1.0/24', '10.202.0.0/16'].map((cidr) => create({ cidr })),
    );
    const made = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value.cidr] : []));
    // Two of them do not overlap each other.
    expect([1, 2]).toContain(made.length);
    if (made.length === 2) expect(made.sort()).toEqual(['10.202.0.0/24', '10.202.1.0/24']);
  });

  it('keeps its name for itself, within the project', async () => {
    const network = await create();
    await expect(create({ name: network.name })).rejects.toMatchObject({ code: 'already_exists' });
    const other = await create();
    await expect(updateNetwork(test.cp, test.admin, other.id, { name: network.name })).rejects.toMatchObject({
      code: 'already_exists',
    });
  });

  it('on a wire is for admins, and the only one there', async () => {
    const network = await create({ kind: 'bridge', uplink: 'eth1', vlanId: 7 });
    expect(network).toMatchObject({ uplink: 'eth1', vlanId: 7 });
    await expect(create({ kind: 'bridge', uplink: 'eth1', vlanId: 7 })).rejects.toMatchObject({
      code: 'already_exists',
      details: { fields: [{ field: 'body.vlanId' }] },
    });
    await create({ kind: 'bridge', uplink: 'eth1' });
    await expect(create({ kind: 'bridge', uplink: 'eth1' })).rejects.toMatchObject({ code: 'already_exists' });
    const operator = await test.actor('operator', project.id);
    const request = { name: aName('network'), kind: 'bridge' as const, cidr: aRange(), uplink: 'eth2' };
    await expect(createNetwork(test.cp, operator, request)).rejects.toMatchObject({
      code: 'forbidden',
      details: { fields: [{ field: 'body.kind' }] },
    });
  });

  it('changes its name and domain, counts that, and is not changed by who read it before', async () => {
    const network = await create();
    const changed = await updateNetwork(test.cp, test.admin, network.id, { dnsDomain: 'x.internal' }, { ifMatch: 1 });
    expect(changed).toMatchObject({ name: network.name, dnsDomain: 'x.internal', generation: 2 });
    await expect(updateNetwork(test.cp, test.admin, network.id, { name: 'b' }, { ifMatch: 1 })).rejects.toMatchObject({
      code: 'precondition_failed',
    });
  });

  it('is deleted when it has no ports any more', async () => {
    const network = await create();
    const port = await portOn(network.id);
    await expect(deleteNetwork(test.cp, test.admin, network.id)).rejects.toMatchObject({
      code: 'in_use',
      message: expect.stringContaining('1 ports'),
    });
    await deletePort(test.cp, test.admin, port.id);
    await deleteNetwork(test.cp, test.admin, network.id);
    await expect(getNetwork(test.cp, test.admin, network.id)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('is made once under an Idempotency-Key', async () => {
    const idempotency = { key: aName('key'), requestSha256: Buffer.alloc(32) };
    const request = { name: aName('network'), projectId: project.id, kind: 'nat' as const, cidr: aRange() };
    const make = () => createNetwork(test.cp, test.admin, request, { idempotency });
    expect((await make()).id).toBe((await make()).id);
  });

  it('is invisible to tokens of other projects, with all its ports', async () => {
    const network = await create();
    const port = await portOn(network.id);
    const stranger = await test.actor('operator', (await aProject(test)).id);
    const nothing = { code: 'not_found' };
    await expect(getNetwork(test.cp, stranger, network.id)).rejects.toMatchObject(nothing);
    await expect(updateNetwork(test.cp, stranger, network.id, { name: 'b' })).rejects.toMatchObject(nothing);
    await expect(deleteNetwork(test.cp, stranger, network.id)).rejects.toMatchObject(nothing);
    await expect(listPorts(test.cp, stranger, network.id, { limit: 50 })).rejects.toMatchObject(nothing);
    await expect(createPort(test.cp, stranger, network.id, { securityGroupIds: [] })).rejects.toMatchObject(nothing);
    await expect(getPort(test.cp, stranger, port.id)).rejects.toMatchObject(nothing);
    await expect(deletePort(test.cp, stranger, port.id)).rejects.toMatchObject(nothing);
    expect((await listNetworks(test.cp, stranger, { limit: 50 })).items).toEqual([]);
  });
});

describe('a port', () => {
  it('gets a free address behind the gateway and a MAC address of its own', async () => {
    const network = await create({ cidr: '10.203.0.0/24' });
    const port = await portOn(network.id, { name: 'web-1' });
    expect(port).toMatchObject({ address: '10.203.0.2', name: 'web-1', vmId: null, securityGroupIds: [] });
    expect(port.macAddress).toMatch(/^52(:[0-9a-f]{2}){5}$/);
    expect(await getPort(test.cp, test.admin, port.id)).toEqual(port);
    const found = await listPorts(test.cp, test.admin, network.id, { limit: 50, address: '10.203.0.2' });
    expect(found.items).toEqual([port]);
  });

  it('gets an address that was given back only after all others were given', async () => {
    const network = await create({ cidr: '10.204.0.0/29' });
    const first = await portOn(network.id);
    await deletePort(test.cp, test.admin, first.id);
    const given: string[] = [];
    for (let i = 0; i < 5; i += 1) given.push((await portOn(network.id)).address);
    expect(given).toEqual(['10.204.0.3', '10.204.0.4', '10.204.0.5', '10.204.0.6', first.address]);
    await expect(portOn(network.id)).rejects.toMatchObject({
      code: 'quota_exceeded',
      message: expect.stringContaining('all addresses of 10.204.0.0/29'),
    });
  });

  it.each([
    ['the first address', '10.205.0.1'],
    ['the last address', '10.205.0.6'],
    ['one between', '10.205.0.3'],
  ])('never gets the gateway, which may be %s', async (_what, gateway) => {
    const network = await create({ cidr: '10.205.0.0/29', gateway, projectId: (await aProject(test)).id });
    const given = new Set<string>();
    for (let i = 0; i < 5; i += 1) given.add((await portOn(network.id)).address);
    expect([given.size, given.has(gateway)]).toEqual([5, false]);
    await expect(portOn(network.id)).rejects.toMatchObject({ code: 'quota_exceeded' });
  });

  it('gets the addresses asked for, unless they are taken or of no use', async () => {
    const network = await create({ cidr: '10.206.0.0/24' });
    const wanted = { address: '10.206.0.77', macAddress: '52:54:00:00:00:01', name: 'db' };
    const port = await portOn(network.id, wanted);
    expect(port).toMatchObject(wanted);
    for (const [field, value] of Object.entries(wanted)) {
      await expect(portOn(network.id, { [field]: value })).rejects.toMatchObject({
        code: 'already_exists',
        message: expect.stringContaining(port.id),
        details: { fields: [{ field: `body.${field}` }] },
      });
    }
    for (const address of ['10.206.0.0', '10.206.0.255', '10.206.0.1', '10.207.0.9']) {
      await expect(portOn(network.id, { address })).rejects.toMatchObject({
        code: 'invalid_request',
        details: { fields: [{ field: 'body.address' }] },
      });
    }
  });

  it('is for a VM of its project, stays as long as that is wanted, and goes with the VM', async () => {
    const network = await create();
    await aHost(test);
    const { vmId } = await aVm(test, await ingredients(test), 'stopped', { projectId: project.id });
    const port = await portOn(network.id, { vmId });
    await expect(deletePort(test.cp, test.admin, port.id)).rejects.toMatchObject({ code: 'in_use' });
    const freed = await updatePort(test.cp, test.admin, port.id, { vmId: null }, { ifMatch: 1 });
    expect(freed).toMatchObject({ vmId: null, generation: 2 });
    await updatePort(test.cp, test.admin, port.id, { vmId });
    await withTransaction(test.cp.database, (tx) => markVmDeleted(tx, vmId));
    await expect(getPort(test.cp, test.admin, port.id)).rejects.toMatchObject({ code: 'not_found' });
    await expect(portOn(network.id, { vmId })).rejects.toMatchObject({
      code: 'not_found',
      details: { fields: [{ field: 'body.vmId' }] },
    });
  });

  it('has security groups of its own project only', async () => {
    const group = (projectId: string) =>
      createSecurityGroup(test.cp, test.admin, {
        name: aName('group'),
        projectId: projectId as never,
        description: '',
        rules: [],
      });
    const [own, foreign] = [await group(project.id), await group((await aProject(test)).id)];
    const network = await create();
    const port = await portOn(network.id, { securityGroupIds: [own.id] });
    expect(port.securityGroupIds).toEqual([own.id]);
    await expect(portOn(network.id, { securityGroupIds: [own.id, foreign.id] })).rejects.toMatchObject({
      code: 'not_found',
      details: { fields: [{ field: 'body.securityGroupIds.1' }] },
    });
    const without = await updatePort(test.cp, test.admin, port.id, { securityGroupIds: [] });
    expect(without.securityGroupIds).toEqual([]);
  });

  it('keeps its limits until they are changed', async () => {
    const network = await create();
    const port = await portOn(network.id, { egressBitsPerSecond: 8_000_000 });
    expect(port).toMatchObject({ ingressBitsPerSecond: null, egressBitsPerSecond: 8_000_000 });
    const change = { ingressBitsPerSecond: 2_500_000_000 };
    expect(await updatePort(test.cp, test.admin, port.id, change)).toMatchObject({
      ...change,
      egressBitsPerSecond: 8_000_000,
    });
    const none = { ingressBitsPerSecond: null, egressBitsPerSecond: null };
    expect(await updatePort(test.cp, test.admin, port.id, none)).toMatchObject(none);
  });
});
