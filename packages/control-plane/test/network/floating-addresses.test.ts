import type {
  CreateFloatingAddressRequest,
  FloatingAddress,
  FloatingRange,
  HostNetworks,
  Network,
  Port,
  Project,
} from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createFloatingAddress } from '../../src/floating-address/create-floating-address.js';
import { createFloatingRange } from '../../src/floating-address/create-floating-range.js';
import { deleteFloatingAddress } from '../../src/floating-address/delete-floating-address.js';
import { deleteFloatingRange } from '../../src/floating-address/delete-floating-range.js';
import { getFloatingAddress, listFloatingAddresses } from '../../src/floating-address/floating-addresses.js';
import { getFloatingRange } from '../../src/floating-address/floating-ranges.js';
import { updateFloatingAddress } from '../../src/floating-address/update-floating-address.js';
import { withFloatingTrait } from '../../src/floating-address/with-floating-trait.js';
import { createNetwork } from '../../src/network/create-network.js';
import { createPort } from '../../src/network/create-port.js';
import { deletePort } from '../../src/network/delete-port.js';
import { updatePort } from '../../src/network/update-port.js';
import { reconcileHostNetworks } from '../../src/reconcilers/host-networks.reconciler.js';
import { aName, aProject, aVm } from '../world/fleet-builder.js';
import { openSimulatedFleet, REPORT_WAIT, type SimulatedFleet, type SimulatedHost } from '../world/simulated-fleet.js';

/** Two hosts that can answer for floating addresses and one that cannot; agents, wire and database are real. */
let fleet: SimulatedFleet;
let [a, b, without] = [] as unknown as [SimulatedHost, SimulatedHost, SimulatedHost];
beforeAll(async () => {
  fleet = await openSimulatedFleet({
    hostCount: 3,
    vmsPerHost: 50,
    overlayAddresses: ['192.0.2.1', '192.0.2.2', '192.0.2.3'],
    floatingInterfaces: ['wan', 'wan', null],
  });
  [a, b, without] = fleet.hosts as [SimulatedHost, SimulatedHost, SimulatedHost];
  // Their facts come with their first report.
  await vi.waitFor(async () => {
    const able = await fleet.test.sql(`SELECT 1 FROM hosts WHERE 'network:floating' = ANY (traits)`);
    expect(able).toHaveLength(2);
  }, REPORT_WAIT);
});
afterAll(() => fleet.close());

let count = 0;
const next = (): number => {
  count += 1;
  return count;
};
/** Of 16 addresses that no other test has. */
const aRange = (addresses = `198.18.${next()}.0/28`): Promise<FloatingRange> =>
  createFloatingRange(fleet.test.cp, fleet.test.admin, { name: aName('range'), addresses });
interface Place {
  readonly project: Project;
  readonly range: FloatingRange;
  readonly network: Network;
}
const aPlace = async (kind: Network['kind'] = 'nat'): Promise<Place> => {
  const project = await aProject(fleet.test);
  const of = { name: aName('network'), projectId: project.id, cidr: `10.${next()}.0.0/24`, kind };
  const wire = kind === 'bridge' ? { uplink: `eth${next()}` } : {};
  const network = await createNetwork(fleet.test.cp, fleet.test.admin, { ...of, ...wire });
  return { project, range: await aRange(), network };
};
const take = ({ project, range }: Place, fields: Partial<CreateFloatingAddressRequest> = {}) =>
  createFloatingAddress(fleet.test.cp, fleet.test.admin, { projectId: project.id, rangeId: range.id, ...fields });
const lead = ({ id }: FloatingAddress, portId: Port['id'] | null, options = {}) =>
  updateFloatingAddress(fleet.test.cp, fleet.test.admin, id, { portId }, options);
const now = ({ id }: FloatingAddress) => getFloatingAddress(fleet.test.cp, fleet.test.admin, id);
const vmOn = async ({ project }: Place, host: SimulatedHost) =>
  (await aVm(fleet.test, fleet, 'running', { projectId: project.id, hostId: host.hostId as never })).vmId;
const aPort = async (place: Place, host: SimulatedHost | null = null): Promise<Port> =>
  createPort(fleet.test.cp, fleet.test.admin, place.network.id, {
    securityGroupIds: [],
    ...(host === null ? {} : { vmId: await vmOn(place, host) }),
  });
const settle = async (): Promise<void> => {
  await vi.waitFor(async () => expect(await reconcileHostNetworks(fleet.test.cp)).toBe(0), REPORT_WAIT);
};
/** What the host was told last of a network's ports. */
const told = (host: SimulatedHost, { network }: Place): (string | null)[] | undefined =>
  (host.toldNetworks.at(-1) as HostNetworks | undefined)?.networks
    .find(({ id }) => id === network.id)
    ?.ports.map(({ floatingAddress }) => floatingAddress);

describe('a range of floating addresses', () => {
  it.each([
    ['198.19.0.16-198.19.0.31', '198.19.0.16', '198.19.0.31', 16],
    ['198.19.1.64/27', '198.19.1.64', '198.19.1.95', 32],
    ['198.19.2.7', '198.19.2.7', '198.19.2.7', 1],
  ])('%s is from %s to %s', async (addresses, firstAddress, lastAddress, addressCount) => {
    const range = await aRange(addresses);
    expect(range).toMatchObject({ firstAddress, lastAddress, addressCount, allocatedCount: 0 });
    expect(await getFloatingRange(fleet.test.cp, range.id)).toEqual(range);
  });

  it('has no address of another, also when both are asked for at once', async () => {
    await aRange('198.19.3.0/28');
    await expect(aRange('198.19.3.15-198.19.3.20')).rejects.toMatchObject({
      code: 'conflict_state',
      details: { fields: [{ field: 'body.addresses' }] },
    });
    const ends = await Promise.allSettled(['198.19.4.0/28', '198.19.4.8-198.19.4.40', '198.19.4.0/24'].map(aRange));
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const codes = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason.code] : []));
    expect(codes).toEqual(['conflict_state', 'conflict_state']);
  });

  it('is kept while projects have addresses of it', async () => {
    const place = await aPlace();
    const address = await take(place);
    const remove = () => deleteFloatingRange(fleet.test.cp, fleet.test.admin, place.range.id);
    await expect(remove()).rejects.toMatchObject({ code: 'in_use' });
    await deleteFloatingAddress(fleet.test.cp, fleet.test.admin, address.id);
    await remove();
    await expect(getFloatingRange(fleet.test.cp, place.range.id)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('a floating address', () => {
  it('is a free one of its range, and not soon again one that was released', async () => {
    const place = await aPlace();
    const first = await take(place);
    expect(first.address).toBe(place.range.firstAddress);
    await deleteFloatingAddress(fleet.test.cp, fleet.test.admin, first.id);
    expect((await take(place)).address).not.toBe(first.address);
    const wanted = await take(place, { address: place.range.lastAddress });
    expect(wanted.address).toBe(place.range.lastAddress);
    await expect(take(place, { address: wanted.address })).rejects.toMatchObject({ code: 'already_exists' });
    await expect(take(place, { address: '192.0.2.1' })).rejects.toMatchObject({ code: 'conflict_state' });
  });

  it('is given to one, however many ask for the last ones at once', async () => {
    const place = await aPlace();
    const ends = await Promise.allSettled(Array.from({ length: 20 }, () => take(place)));
    const given = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value.address] : []));
    expect([given.length, new Set(given).size]).toEqual([16, 16]);
    const codes = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason.code] : []));
    expect(codes).toEqual(Array.from({ length: 4 }, () => 'quota_exceeded'));
  });

  it('is one of 50 at the most that a project has', async () => {
    const place = { ...(await aPlace()), range: await aRange(`198.18.${next()}.0/26`) };
    await Promise.all(Array.from({ length: 50 }, () => take(place)));
    await expect(take(place)).rejects.toMatchObject({ code: 'quota_exceeded', details: { addressCountMax: 50 } });
  });

  it('leads to a port, whose host is told, then to a port on another host, then nowhere', async () => {
    const place = await aPlace();
    const [here, there] = [await aPort(place, a), await aPort(place, b)];
    const address = await take(place, { portId: here.id });
    expect(address).toMatchObject({ portId: here.id, hostId: a.hostId, generation: 2 });
    await settle();
    expect([told(a, place), told(b, place)]).toEqual([[address.address], [null]]);
    expect(await lead(address, there.id)).toMatchObject({ portId: there.id, hostId: b.hostId, generation: 3 });
    await settle();
    expect([told(a, place), told(b, place)]).toEqual([[null], [address.address]]);
    await expect(lead(address, null, { ifMatch: 2 })).rejects.toMatchObject({ code: 'precondition_failed' });
    expect(await lead(address, null)).toMatchObject({ portId: null, hostId: null });
    await settle();
    expect([told(a, place), told(b, place)]).toEqual([[null], [null]]);
  });

  it('of a port leads there no more once it is released', async () => {
    const place = await aPlace();
    const address = await take(place, { portId: (await aPort(place, a)).id });
    await settle();
    await deleteFloatingAddress(fleet.test.cp, fleet.test.admin, address.id);
    await settle();
    expect(told(a, place)).toEqual([null]);
  });

  it('stays with its project when the port goes, which counts as a change', async () => {
    const place = await aPlace();
    const port = await aPort(place);
    const address = await take(place, { portId: port.id });
    await deletePort(fleet.test.cp, fleet.test.admin, port.id);
    expect(await now(address)).toMatchObject({ portId: null, generation: address.generation + 1 });
  });

  it('is where its VM is: with the target once that has it, and not before', async () => {
    const place = await aPlace();
    const port = await aPort(place, a);
    const address = await take(place, { portId: port.id });
    await settle();
    const held = await fleet.test.sql<object>('SELECT * FROM reservations WHERE vm_id = $1', [port.vmId]);
    expect(held).toHaveLength(1);
    await fleet.test.sql(
      `INSERT INTO reservations (id, vm_id, host_id, purpose, vcpu_count, memory_bytes, disk_bytes)
       SELECT gen_random_uuid(), vm_id, $2, 'move', 0, 0, 0 FROM reservations WHERE vm_id = $1`,
      [port.vmId, b.hostId],
    );
    await settle();
    expect([told(a, place), told(b, place)]).toEqual([[address.address], [null]]);
    await fleet.test.sql(`DELETE FROM reservations WHERE vm_id = $1 AND purpose = 'run'`, [port.vmId]);
    await fleet.test.sql(`UPDATE reservations SET purpose = 'run' WHERE vm_id = $1`, [port.vmId]);
    await settle();
    expect([told(a, place), told(b, place)]).toEqual([undefined, [address.address]]);
    expect(await now(address)).toMatchObject({ hostId: b.hostId });
  });

  it('leads to one port, and a port has one, whoever asks at once', async () => {
    const place = await aPlace();
    const port = await aPort(place);
    const addresses = await Promise.all(Array.from({ length: 8 }, () => take(place)));
    const ends = await Promise.allSettled(addresses.map((address) => lead(address, port.id)));
    const codes = ends.map((end) => (end.status === 'fulfilled' ? 'led' : end.reason.code));
    expect(codes.sort()).toEqual([...Array.from({ length: 7 }, () => 'conflict_state'), 'led']);
    const leading = await listFloatingAddresses(fleet.test.cp, fleet.test.admin, { limit: 50, portId: port.id });
    expect(leading.items).toHaveLength(1);
    const [only] = leading.items as [FloatingAddress];
    const ports = await Promise.all(Array.from({ length: 4 }, () => aPort(place)));
    await Promise.all(ports.map(({ id }) => lead(only, id)));
    expect(ports.map(({ id }) => id)).toContain((await now(only)).portId);
  });

  it('and the port that it is led to may go at the same time', async () => {
    const place = await aPlace();
    const address = await take(place);
    for (let round = 0; round < 5; round += 1) {
      const port = await aPort(place);
      const [led] = await Promise.allSettled([
        lead(address, port.id),
        deletePort(fleet.test.cp, fleet.test.admin, port.id),
      ]);
      if (led.status === 'rejected') expect(led.reason).toMatchObject({ code: 'not_found' });
      expect((await now(address)).portId).toBeNull();
    }
  });

  it('is taken once under an Idempotency-Key', async () => {
    const place = await aPlace();
    const idempotency = { key: aName('key'), requestSha256: Buffer.alloc(32) };
    const request = { projectId: place.project.id, rangeId: place.range.id };
    const make = () => createFloatingAddress(fleet.test.cp, fleet.test.admin, request, { idempotency });
    expect((await make()).id).toBe((await make()).id);
  });

  it('is invisible to tokens of other projects, and leads to no port of theirs', async () => {
    const place = await aPlace();
    const address = await take(place);
    const other = await aPlace();
    const stranger = await fleet.test.actor('operator', other.project.id);
    const nothing = { code: 'not_found' };
    const { cp } = fleet.test;
    await expect(getFloatingAddress(cp, stranger, address.id)).rejects.toMatchObject(nothing);
    await expect(updateFloatingAddress(cp, stranger, address.id, { portId: null })).rejects.toMatchObject(nothing);
    await expect(deleteFloatingAddress(cp, stranger, address.id)).rejects.toMatchObject(nothing);
    expect((await listFloatingAddresses(cp, stranger, { limit: 50 })).items).toEqual([]);
    await expect(lead(address, (await aPort(other)).id)).rejects.toMatchObject({
      ...nothing,
      details: { fields: [{ field: 'body.portId' }] },
    });
  });
});

describe('a port is refused a floating address', () => {
  it.each(['vxlan', 'bridge'] as const)('of a network of kind %s, with what helps', async (kind) => {
    const place = await aPlace(kind);
    const address = await take(place);
    await expect(lead(address, (await aPort(place)).id)).rejects.toMatchObject({
      code: 'conflict_state',
      message: expect.stringContaining('give the VM a card on a network of kind nat'),
      details: { fields: [{ field: 'body.portId' }] },
    });
  });

  it('on a host that cannot answer for it, by the name of the host', async () => {
    const place = await aPlace();
    const address = await take(place);
    await expect(lead(address, (await aPort(place, without)).id)).rejects.toMatchObject({
      code: 'conflict_state',
      message: expect.stringContaining('start its agent with --floating-interface, or move the VM'),
    });
  });
});

it('a VM with such a port is placed where hosts can answer for it', async () => {
  const place = await aPlace();
  const port = await aPort(place, a);
  const backend = { kind: 'network', portId: port.id, networkId: place.network.id, ownsPort: false };
  const nics = [{ backend: { ...backend, securityGroupIds: [] }, macAddress: port.macAddress }];
  const vm = { hardware: { devices: { nics } } } as never;
  const wanted = { requiredTraits: ['network:nat'] } as never;
  expect(await withFloatingTrait(fleet.test.cp.database, vm, wanted)).toBe(wanted);
  await take(place, { portId: port.id });
  expect(await withFloatingTrait(fleet.test.cp.database, vm, wanted)).toMatchObject({
    requiredTraits: ['network:nat', 'network:floating'],
  });
});

it('an address goes with its port to the VM that the port is for next', async () => {
  const place = await aPlace();
  const port = await aPort(place, a);
  const address = await take(place, { portId: port.id });
  await updatePort(fleet.test.cp, fleet.test.admin, port.id, { vmId: await vmOn(place, b) });
  expect(await now(address)).toMatchObject({ hostId: b.hostId });
  await settle();
  expect([told(a, place), told(b, place)]).toEqual([undefined, [address.address]]);
});
