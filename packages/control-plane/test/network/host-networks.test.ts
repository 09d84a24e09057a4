import {
  type HostId,
  type HostNetworks,
  type Network,
  NO_HOST_NETWORKS,
  type Port,
  type SecurityGroup,
} from '@kvorum/schema';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { getHost } from '../../src/host/hosts.js';
import { createNetwork } from '../../src/network/create-network.js';
import { createPort } from '../../src/network/create-port.js';
import { deletePort } from '../../src/network/delete-port.js';
import { pushHostNetworks } from '../../src/network/push-host-networks.js';
import { updateNetwork } from '../../src/network/update-network.js';
import { updatePort } from '../../src/network/update-port.js';
import { reconcileHostNetworks } from '../../src/reconcilers/host-networks.reconciler.js';
import { createSecurityGroup } from '../../src/security-group/create-security-group.js';
import { updateSecurityGroup } from '../../src/security-group/update-security-group.js';
import { aName, aVm } from '../world/fleet-builder.js';
import { openSimulatedFleet, REPORT_WAIT, type SimulatedFleet, type SimulatedHost } from '../world/simulated-fleet.js';

/** Real agents over gRPC that keep what they are told; only the commands of the hosts are left out. */
const ADDRESSES = ['192.0.2.1', '192.0.2.2'];
let fleet: SimulatedFleet;
let a: SimulatedHost;
let b: SimulatedHost;
beforeAll(async () => {
  fleet = await openSimulatedFleet({ hostCount: 2, vmsPerHost: 50, overlayAddresses: ADDRESSES });
  [a, b] = fleet.hosts as [SimulatedHost, SimulatedHost];
});
afterAll(() => fleet.close());

const CALL = { timeoutMs: 10_000 };
const push = (host: SimulatedHost) => pushHostNetworks(fleet.test.cp, host.hostId, CALL);
/** Until no host has anything more to be told. */
const settle = async (): Promise<void> => {
  await vi.waitFor(async () => expect(await reconcileHostNetworks(fleet.test.cp)).toBe(0), REPORT_WAIT);
};
const rowOf = async (host: SimulatedHost) => {
  const [row] = await fleet.test.sql<{ revision: number; applied: number }>(
    `SELECT revision::int, applied_revision::int AS applied FROM host_networks WHERE host_id = $1`,
    [host.hostId],
  );
  return row;
};
const desiredOf = (host: SimulatedHost): HostNetworks => host.toldNetworks.at(-1) ?? NO_HOST_NETWORKS;
const networkOf = (host: SimulatedHost, { id }: Network) => desiredOf(host).networks.find((found) => found.id === id);

let range = 0;
const aNetwork = (kind: 'nat' | 'vxlan' = 'vxlan'): Promise<Network> => {
  range += 1;
  const request = { name: aName('network'), kind, cidr: `10.${range}.0.0/24` };
  return createNetwork(fleet.test.cp, fleet.test.admin, request);
};
const aGroup = (rules: SecurityGroup['rules'] = []): Promise<SecurityGroup> =>
  createSecurityGroup(fleet.test.cp, fleet.test.admin, { name: aName('group'), description: '', rules });
const vmOn = async (host: SimulatedHost) =>
  (await aVm(fleet.test, fleet, 'running', { hostId: host.hostId as never })).vmId;
const aPort = async (network: Network, host: SimulatedHost | null, groups: SecurityGroup[] = []): Promise<Port> =>
  createPort(fleet.test.cp, fleet.test.admin, network.id, {
    name: aName('port'),
    securityGroupIds: groups.map(({ id }) => id),
    ...(host === null ? {} : { vmId: await vmOn(host) }),
  });
const INTO = {
  direction: 'ingress',
  protocol: 'tcp',
  portMin: 80,
  portMax: 80,
  cidr: null,
  peerGroupId: null,
} as const;
const update = (port: Port, vmId: Port['vmId']) => updatePort(fleet.test.cp, fleet.test.admin, port.id, { vmId });

describe('what a host is told of networks', () => {
  beforeEach(settle);

  it('are those of ports whose VMs are on it: with names of all ports, and the hosts that have it too', async () => {
    const network = await aNetwork();
    const here = await aPort(network, a);
    const there = await aPort(network, b);
    const nowhere = await aPort(network, null);
    await settle();
    expect(networkOf(a, network)).toEqual({
      ...{ id: network.id, kind: 'vxlan', segmentId: network.vni, cidr: network.cidr, gateway: network.gateway },
      ...{ dnsDomain: network.dnsDomain, mtu: 1450, peers: [ADDRESSES[1]] },
      ports: [
        {
          id: here.id,
          name: here.name,
          macAddress: here.macAddress,
          address: here.address,
          securityGroupIds: [],
          ingressBitsPerSecond: null,
          egressBitsPerSecond: null,
          floatingAddress: null,
        },
      ],
      otherNames: [there, nowhere].map(({ name, address }) => ({ name, address })),
    });
    expect(networkOf(b, network)).toMatchObject({ ports: [{ id: there.id }], peers: [ADDRESSES[0]] });
  });

  it('is told to those hosts alone that have the network', async () => {
    const network = await aNetwork('nat');
    await aPort(network, a);
    await settle();
    const before = await rowOf(b);
    await aPort(network, a);
    await updateNetwork(fleet.test.cp, fleet.test.admin, network.id, { dnsDomain: 'other.internal' });
    await settle();
    expect(networkOf(a, network)).toMatchObject({ dnsDomain: 'other.internal', ports: [{}, {}] });
    expect(await rowOf(b)).toEqual(before);
  });

  it('has the rules of groups of its own ports, and members of those that rules name', async () => {
    const network = await aNetwork();
    const other = await aNetwork();
    const web = await aGroup([INTO]);
    const db = await aGroup([{ ...INTO, peerGroupId: web.id }]);
    const member = await aPort(network, b, [web]);
    await aPort(other, b, [web]);
    await aPort(network, a, [db]);
    await settle();
    const groups = desiredOf(a).securityGroups.filter(({ id }) => [web.id, db.id].includes(id as never));
    expect(groups).toEqual(
      [
        { id: web.id, rules: [], members: [{ networkId: network.id, address: member.address }] },
        { id: db.id, rules: db.rules, members: [] },
      ].sort((x, y) => x.id.localeCompare(y.id)),
    );
    const before = await rowOf(b);
    await updateSecurityGroup(fleet.test.cp, fleet.test.admin, db.id, { rules: [] });
    await settle();
    expect(desiredOf(a).securityGroups.find(({ id }) => id === db.id)).toEqual({ id: db.id, rules: [], members: [] });
    expect(await rowOf(b)).toEqual(before);
  });

  it('is nothing any more once its last port has gone, and its peers do not name it', async () => {
    const network = await aNetwork();
    const port = await aPort(network, a);
    await aPort(network, b);
    await settle();
    await update(port, null);
    await settle();
    expect(networkOf(a, network)).toBeUndefined();
    expect(networkOf(b, network)).toMatchObject({ peers: [], otherNames: [{ name: port.name }] });
    await deletePort(fleet.test.cp, fleet.test.admin, port.id);
    await settle();
    expect(networkOf(b, network)).toMatchObject({ otherNames: [] });
  });

  it('follows the room that a VM holds: gone with it', async () => {
    const network = await aNetwork('nat');
    const port = await aPort(network, a);
    await settle();
    await fleet.test.sql('DELETE FROM reservations WHERE vm_id = $1', [port.vmId]);
    await settle();
    expect(networkOf(a, network)).toBeUndefined();
  });
});

describe('telling a host', () => {
  beforeEach(settle);

  it('changes neither revision nor host when nothing has changed', async () => {
    await aPort(await aNetwork('nat'), a);
    await settle();
    const before = await rowOf(a);
    await push(a);
    expect(await rowOf(a)).toEqual(before);
    expect(before?.applied).toBe(before?.revision);
  });

  it('by many at once, of a record that changes meanwhile, ends with the last one', async () => {
    const network = await aNetwork('nat');
    const vmId = await vmOn(a);
    await Promise.all(
      Array.from({ length: 12 }, async () => {
        await createPort(fleet.test.cp, fleet.test.admin, network.id, { vmId, securityGroupIds: [] });
        await push(a);
      }),
    );
    expect(networkOf(a, network)?.ports).toHaveLength(12);
  });

  it('that is silent is done when it comes back, and keeps no other waiting', async () => {
    const network = await aNetwork();
    await aPort(network, b);
    await settle();
    await a.silence();
    await aPort(network, a);
    await reconcileHostNetworks(fleet.test.cp);
    expect(networkOf(b, network)).toMatchObject({ peers: [ADDRESSES[0]] });
    await a.restart();
    await vi.waitFor(async () => {
      await fleet.test.sql('UPDATE host_networks SET retry_at = now()');
      await reconcileHostNetworks(fleet.test.cp);
      expect(networkOf(a, network)).toMatchObject({ peers: [ADDRESSES[1]] });
    }, REPORT_WAIT);
  });

  it('goes on when the database was put back to an older state than the host has seen', async () => {
    const network = await aNetwork('nat');
    await aPort(network, a);
    await settle();
    const before = await rowOf(a);
    await fleet.test.sql('UPDATE host_networks SET revision = 1, applied_revision = 0 WHERE host_id = $1', [a.hostId]);
    await aPort(network, a);
    await settle();
    expect(networkOf(a, network)?.ports).toHaveLength(2);
    expect((await rowOf(a))?.revision).toBe((before?.revision ?? 0) + 1);
  });

  it('gives its own word for a network that it cannot make, for whoever looks at it', async () => {
    const network = await aNetwork('nat');
    await aPort(network, a);
    a.networkFaults.set(network.id, 'there is no interface eth7');
    await settle();
    a.networkFaults.clear();
    const faults = [{ networkId: network.id, message: 'there is no interface eth7' }];
    expect(await getHost(fleet.test.cp, fleet.test.admin, a.hostId as HostId)).toMatchObject({ networkFaults: faults });
    expect(await getHost(fleet.test.cp, fleet.test.admin, b.hostId as HostId)).toMatchObject({ networkFaults: [] });
  });
});

it('a host that cannot be told for a reason that nobody foresaw waits as others do, and is told later', async () => {
  const network = await aNetwork('nat');
  await aPort(network, a);
  const { agents } = fleet.test.cp;
  let callCount = 0;
  const agentOf = (host: Parameters<typeof agents.agentOf>[0]) => {
    callCount += 1;
    if (host.id === a.hostId) throw new TypeError('unforeseen');
    return agents.agentOf(host);
  };
  const broken = { ...fleet.test.cp, agents: { ...agents, agentOf } };
  await expect(reconcileHostNetworks(broken)).rejects.toThrow('unforeseen');
  expect([await reconcileHostNetworks(broken), callCount]).toEqual([0, 1]);
  await fleet.test.sql('UPDATE host_networks SET retry_at = now() WHERE host_id = $1', [a.hostId]);
  await settle();
  expect(networkOf(a, network)?.ports).toHaveLength(1);
});

it('a port takes one row more to be recorded, whatever it concerns', async () => {
  const network = await aNetwork('nat');
  await settle();
  await createPort(fleet.test.cp, fleet.test.admin, network.id, { securityGroupIds: [] });
  expect(await fleet.test.sql('SELECT network_id FROM network_changes')).toEqual([{ network_id: network.id }]);
  await settle();
  expect(await fleet.test.sql('SELECT 1 FROM network_changes')).toEqual([]);
});
