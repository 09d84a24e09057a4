import type {
  CreateVmRequest,
  Network,
  NicBackend,
  OperationId,
  Port,
  Project,
  ProjectId,
  SecurityGroup,
  UpdateVmRequest,
  VmId,
} from '@kvorum/schema';
import { UpdateVmRequest as UpdateVmShape, VmHardware } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/database/database.js';
import { createNetwork } from '../../src/network/create-network.js';
import { createPort } from '../../src/network/create-port.js';
import { getPort, listPorts } from '../../src/network/ports.js';
import type { AnyDefinition } from '../../src/operations/operation-run.js';
import { reconcileHostNetworks } from '../../src/reconcilers/host-networks.reconciler.js';
import { createSecurityGroup } from '../../src/security-group/create-security-group.js';
import { createVm } from '../../src/vm/create-vm.js';
import { operationDefinitions, type WorkerServices } from '../../src/vm/operation-definitions.js';
import { requestVm } from '../../src/vm/request-vm.js';
import { planVmUpdate, updateVm } from '../../src/vm/update-vm.js';
import { getVm } from '../../src/vm/vms.js';
import { makeWorker, proveOperation, workToEnd } from '../operation-harness.js';
import { aName, aProject, vmRequest } from '../world/fleet-builder.js';
import { openSimulatedFleet, type SimulatedFleet, type SimulatedHost } from '../world/simulated-fleet.js';

/** Two hosts, of which the first one alone makes networks; agents, wire and database are real. */
let fleet: SimulatedFleet;
let host: SimulatedHost;
beforeAll(async () => {
  fleet = await openSimulatedFleet({ hostCount: 2, vmsPerHost: 200, overlayAddresses: ['192.0.2.1'] });
  host = fleet.hosts[0] as SimulatedHost;
});
afterAll(() => fleet.close());

interface World {
  readonly database: Database;
  readonly project: Project;
  readonly network: Network;
  readonly group: SecurityGroup;
  vmId: VmId;
}
let range = 0;
async function aWorld(): Promise<World> {
  const { cp, admin } = fleet.test;
  const project = await aProject(fleet.test);
  const of = { projectId: project.id as ProjectId };
  range += 1;
  const network = await createNetwork(cp, admin, {
    ...of,
    ...{ name: aName('network'), kind: 'vxlan', cidr: `10.${range}.0.0/28` },
  });
  const group = await createSecurityGroup(cp, admin, { ...of, name: aName('group'), description: '', rules: [] });
  return { database: cp.database, project, network, group, vmId: '' as VmId };
}

type Card = Partial<Extract<NicBackend, { kind: 'network' }>>;
const cardsOf = (...cards: Card[]) =>
  VmHardware.parse({ devices: { nics: cards.map((card) => ({ backend: { kind: 'network', ...card } })) } });
async function requestCreate(world: World, card: Card, changes: Partial<CreateVmRequest> = {}): Promise<OperationId> {
  const request = vmRequest(fleet, { projectId: world.project.id as ProjectId, hardware: cardsOf(card), ...changes });
  const { operation, resourceId } = await createVm(fleet.test.cp, fleet.test.admin, request);
  world.vmId = resourceId as VmId;
  return operation.id;
}
const definitionOf = (kind: Parameters<typeof operationDefinitions.get>[0]): AnyDefinition<WorkerServices> => {
  const definition = operationDefinitions.get(kind);
  if (definition === undefined) throw new TypeError(`${kind} has a definition`);
  return definition;
};
const perform = async (operationId: OperationId, kind: Parameters<typeof definitionOf>[0], state = 'succeeded') => {
  const { cp } = fleet.test;
  const worker = makeWorker(cp.database, definitionOf(kind), cp);
  try {
    expect(await workToEnd(cp.database, worker, operationId)).toMatchObject({ state });
  } finally {
    worker.die();
  }
};
const portsOf = async ({ network }: World): Promise<readonly Port[]> =>
  (await listPorts(fleet.test.cp, fleet.test.admin, network.id, { limit: 50 })).items;
const vmOf = (world: World) => getVm(fleet.test.cp, fleet.test.admin, world.vmId);
const toldPorts = ({ network }: World): string[] =>
  host.toldNetworks
    .at(-1)
    ?.networks.find(({ id }) => id === network.id)
    ?.ports.map(({ id }) => id) ?? [];
const tapsOf = ({ vmId }: World) =>
  [...host.machine.processes.values()]
    .filter(({ launch }) => launch.vmId === vmId)
    .map(({ launch }) => Object.values(launch.attachments?.taps ?? {}));
const settle = async (): Promise<void> => {
  while ((await reconcileHostNetworks(fleet.test.cp)) > 0);
};
const update = async (world: World, request: object): Promise<void> => {
  const parsed: UpdateVmRequest = UpdateVmShape.parse(request);
  const { operation } = await updateVm(fleet.test.cp, fleet.test.admin, world.vmId, parsed);
  await perform(operation.id, 'vm.update');
};
const nicsOf = async (world: World) => (await vmOf(world)).hardware.devices.nics;

proveOperation<World, WorkerServices>({
  services: (): WorkerServices => fleet.test.cp,
  close: async () => {},
  definition: definitionOf('vm.create'),
  arrange: aWorld,
  request: (world) => requestCreate(world, { networkId: world.network.id, securityGroupIds: [world.group.id] }),
  expectDone: async (world) => {
    const [port, ...others] = await portsOf(world);
    expect(others).toEqual([]);
    const { name } = await vmOf(world);
    expect(port).toMatchObject({ vmId: world.vmId, name, securityGroupIds: [world.group.id] });
    expect(await nicsOf(world)).toMatchObject([
      { macAddress: port?.macAddress, backend: { portId: port?.id, networkKind: 'vxlan', ownsPort: true } },
    ]);
    expect(toldPorts(world)).toEqual([port?.id]);
    const interfaceName = `kvt${port?.id.replaceAll('-', '').slice(-12)}`;
    expect(tapsOf(world)).toEqual([[{ interfaceName, mtu: 1450 }]]);
  },
  expectCleanSlate: async (world) => {
    expect(await portsOf(world)).toEqual([]);
    expect(tapsOf(world)).toEqual([]);
    await settle();
    expect(toldPorts(world)).toEqual([]);
  },
});

describe('a VM with a card on a network', () => {
  it('takes a port that is there, with its address, and gives it back when it cannot be made', async () => {
    const world = await aWorld();
    const port = await createPort(fleet.test.cp, fleet.test.admin, world.network.id, { securityGroupIds: [] });
    const operationId = await requestCreate(world, { portId: port.id });
    expect(await nicsOf(world)).toMatchObject([
      { macAddress: port.macAddress, backend: { networkId: world.network.id, ownsPort: false } },
    ]);
    expect(await getPort(fleet.test.cp, fleet.test.admin, port.id)).toMatchObject({ vmId: world.vmId });
    await expect(requestCreate({ ...world }, { portId: port.id })).rejects.toMatchObject({
      code: 'conflict_state',
      details: { fields: [{ field: 'body.hardware.devices.nics[0].backend.portId' }] },
    });
    host.networkFaults.set(world.network.id, 'there is no interface eth7');
    await perform(operationId, 'vm.create', 'failed');
    host.networkFaults.clear();
    expect((await vmOf(world)).failure).toMatchObject({
      code: 'host_fault',
      message: expect.stringContaining('there is no interface eth7'),
    });
    expect(await getPort(fleet.test.cp, fleet.test.admin, port.id)).toMatchObject({ vmId: null });
  });

  it('runs where hosts make such networks, and nowhere else', async () => {
    const world = await aWorld();
    const other = fleet.hosts[1] as SimulatedHost;
    await expect(
      requestCreate(world, { networkId: world.network.id }, { hostId: other.hostId as never }),
    ).rejects.toMatchObject({ code: 'no_capacity' });
    expect(await portsOf(world)).toEqual([]);
    await requestCreate(world, { networkId: world.network.id });
    expect((await vmOf(world)).hostId).toBe(host.hostId);
  });

  it('is refused for networks and ports of another project, and when no address is free', async () => {
    const world = await aWorld();
    const other = await aWorld();
    const port = await createPort(fleet.test.cp, fleet.test.admin, other.network.id, { securityGroupIds: [] });
    for (const [card, field] of [
      [{ networkId: other.network.id }, 'networkId'],
      [{ portId: port.id }, 'portId'],
    ] as const) {
      await expect(requestCreate(world, card)).rejects.toMatchObject({
        code: 'not_found',
        details: { fields: [{ field: `body.hardware.devices.nics[0].backend.${field}` }] },
      });
    }
    await expect(
      requestCreate(world, { networkId: world.network.id, securityGroupIds: [other.group.id] }),
    ).rejects.toMatchObject({ code: 'not_found' });
    for (let index = 0; index < 13; index += 1) await requestCreate(world, { networkId: world.network.id });
    await expect(requestCreate(world, { networkId: world.network.id })).rejects.toMatchObject({
      code: 'quota_exceeded',
    });
  });

  it('made by many at once, each has a port of its own', async () => {
    const world = await aWorld();
    const ends = await Promise.allSettled(
      Array.from({ length: 12 }, () => requestCreate({ ...world }, { networkId: world.network.id })),
    );
    expect(ends.filter(({ status }) => status === 'rejected')).toEqual([]);
    expect(new Set((await portsOf(world)).map(({ address }) => address)).size).toBe(12);
  });

  it('gets another one at its next start, and loses it with its port', async () => {
    const world = await aWorld();
    await perform(await requestCreate(world, { networkId: world.network.id }), 'vm.create');
    const [first] = await nicsOf(world);
    const added = {
      hardware: { devices: { nics: [first, { backend: { kind: 'network', networkId: world.network.id } }] } },
    };
    const plan = await planVmUpdate(fleet.test.cp, fleet.test.admin, world.vmId, UpdateVmShape.parse(added));
    expect(plan.changes).toMatchObject([{ effect: 'next-boot', to: { backend: { kind: 'network' } } }]);
    expect(await portsOf(world)).toHaveLength(1);
    await update(world, added);
    expect([await nicsOf(world), await portsOf(world)]).toMatchObject([[{}], [{}, { vmId: world.vmId, name: null }]]);
    const { operation } = await requestVm(fleet.test.cp, fleet.test.admin, world.vmId, 'reboot', {});
    await perform(operation.id, 'vm.reboot');
    expect(await nicsOf(world)).toHaveLength(2);
    expect(tapsOf(world)[0]).toHaveLength(2);
    await update(world, { hardware: { devices: { nics: [first] } } });
    expect(await portsOf(world)).toMatchObject([{ id: first?.backend.kind === 'network' && first.backend.portId }]);
    await settle();
    expect(toldPorts(world)).toHaveLength(1);
  });

  it('keeps its card where it is plugged in', async () => {
    const world = await aWorld();
    await perform(await requestCreate(world, { networkId: world.network.id }, { start: false }), 'vm.create');
    const [card] = await nicsOf(world);
    await expect(
      update(world, { hardware: { devices: { nics: [{ ...card, backend: { kind: 'isolated' } }] } } }),
    ).rejects.toMatchObject({ details: { fields: [{ field: 'body.hardware.devices.nics[0].backend' }] } });
  });

  it('leaves neither port nor network behind when it is deleted', async () => {
    const world = await aWorld();
    await perform(await requestCreate(world, { networkId: world.network.id }), 'vm.create');
    const { operation } = await requestVm(fleet.test.cp, fleet.test.admin, world.vmId, 'delete', {});
    await perform(operation.id, 'vm.delete');
    expect(await portsOf(world)).toEqual([]);
    await settle();
    expect(toldPorts(world)).toEqual([]);
  });
});
