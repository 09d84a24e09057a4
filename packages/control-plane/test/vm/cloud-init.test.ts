import { readFile, stat } from 'node:fs/promises';
import {
  type CloudInitRequest,
  type CreateVmRequest,
  type HostId,
  type OperationId,
  type Project,
  type ProjectId,
  UpdateVmRequest,
  type VmId,
} from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/database/database.js';
import { cordonHost, uncordonHost } from '../../src/host/hosts.js';
import type { AnyDefinition } from '../../src/operations/operation-run.js';
import { createVm } from '../../src/vm/create-vm.js';
import { operationDefinitions, type WorkerServices } from '../../src/vm/operation-definitions.js';
import { requestVm } from '../../src/vm/request-vm.js';
import { planVmUpdate, updateVm } from '../../src/vm/update-vm.js';
import { getVm } from '../../src/vm/vms.js';
import { makeWorker, proveOperation, workToEnd } from '../operation-harness.js';
import { aProject, vmRequest } from '../world/fleet-builder.js';
import { openSimulatedFleet, type SimulatedFleet } from '../world/simulated-fleet.js';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK+6bw+GGoI4XI7EG0cufyyf/XbW4ss2CF03WuuTvey5 root@farm';
const SECRET = 'correct-horse-battery-staple';
const USER_DATA = `#cloud-config\npassword: ${SECRET}\n`;
const CLOUD_INIT: CloudInitRequest = { hostname: null, sshAuthorizedKeys: [KEY], userData: USER_DATA };

/** Agents, wire, database and the tool that makes seed disks are real; the machine behind the driver is not. */
let fleet: SimulatedFleet;
beforeAll(async () => {
  fleet = await openSimulatedFleet({ hostCount: 1, vmsPerHost: 200 });
});
afterAll(() => fleet.close());

interface World {
  readonly database: Database;
  readonly project: Project;
  vmId: VmId;
}
const aWorld = async (): Promise<World> => ({
  database: fleet.test.cp.database,
  project: await aProject(fleet.test),
  vmId: '' as VmId,
});

type Kind = 'vm.create' | 'vm.update' | 'vm.reboot' | 'vm.delete';
const definitionOf = (kind: Kind): AnyDefinition<WorkerServices> => {
  const definition = operationDefinitions.get(kind);
  if (definition === undefined) throw new TypeError(`${kind} has a definition`);
  return definition;
};
const perform = async (operationId: OperationId, kind: Kind): Promise<void> => {
  const { cp } = fleet.test;
  const worker = makeWorker(cp.database, definitionOf(kind), cp);
  try {
    expect(await workToEnd(cp.database, worker, operationId)).toEqual({ state: 'succeeded', error: null });
  } finally {
    worker.die();
  }
};

async function requestCreate(world: World, changes: Partial<CreateVmRequest> = {}): Promise<OperationId> {
  const projectId = world.project.id as ProjectId;
  const request = vmRequest(fleet, { projectId, cloudInit: CLOUD_INIT, ...changes });
  const { operation, resourceId } = await createVm(fleet.test.cp, fleet.test.admin, request);
  world.vmId = resourceId as VmId;
  return operation.id;
}
const create = async (world: World, changes: Partial<CreateVmRequest> = {}): Promise<void> =>
  perform(await requestCreate(world, changes), 'vm.create');
const update = async (world: World, request: object): Promise<void> => {
  const parsed = UpdateVmRequest.parse(request);
  const { operation } = await updateVm(fleet.test.cp, fleet.test.admin, world.vmId, parsed);
  await perform(operation.id, 'vm.update');
};
const ask = async (world: World, request: 'reboot' | 'delete'): Promise<void> => {
  const { operation } = await requestVm(fleet.test.cp, fleet.test.admin, world.vmId, request, {});
  await perform(operation.id, `vm.${request}`);
};
const vmOf = ({ vmId }: World) => getVm(fleet.test.cp, fleet.test.admin, vmId);
const keptOf = async ({ vmId }: World): Promise<number> =>
  (await fleet.test.sql('SELECT 1 FROM vm_user_data WHERE vm_id = $1', [vmId])).length;
const seedPathOf = ({ vmId }: World): string | null =>
  [...(fleet.hosts[0]?.machine.processes.values() ?? [])].find(({ launch }) => launch.vmId === vmId)?.launch.seedPath ??
  null;
/** What lies in the image is not compressed. */
const seedOf = async (world: World): Promise<string> => readFile(seedPathOf(world) ?? '', 'latin1');

proveOperation<World, WorkerServices>({
  services: (): WorkerServices => fleet.test.cp,
  close: async () => {},
  definition: definitionOf('vm.create'),
  arrange: aWorld,
  request: (world) => requestCreate(world),
  expectDone: async (world) => {
    expect(await seedOf(world)).toContain(SECRET);
    expect(await keptOf(world)).toBe(1);
  },
  expectCleanSlate: async (world) => {
    expect(await keptOf(world)).toBe(0);
    expect(seedPathOf(world)).toBeNull();
  },
});

describe('a VM with cloud-init', () => {
  it('has a seed disk with its name, keys, user data and an instance id of its own, which only its host can read', async () => {
    const [one, two] = [await aWorld(), await aWorld()];
    await create(one);
    await create(two, { cloudInit: { ...CLOUD_INIT, hostname: 'front' } });
    const [first, second] = [await vmOf(one), await vmOf(two)];
    expect(first.cloudInit).toEqual({
      instanceId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      hostname: first.name,
      sshAuthorizedKeys: [KEY],
      hasUserData: true,
    });
    expect(second.cloudInit?.instanceId).not.toBe(first.cloudInit?.instanceId);
    const seed = await seedOf(one);
    expect(seed).toContain('cidata');
    expect(seed).toContain(`"instance-id": "${first.cloudInit?.instanceId}"`);
    expect(seed).toContain(`"local-hostname": "${first.name}"`);
    expect(seed).toContain(`"${KEY}"`);
    expect(seed).toContain(USER_DATA);
    expect(await seedOf(two)).toContain('"local-hostname": "front"');
    expect((await stat(seedPathOf(one) ?? '')).mode & 0o077).toBe(0);
  });

  it('has no such disk without', async () => {
    const world = await aWorld();
    const { cloudInit: _none, ...plain } = vmRequest(fleet, { projectId: world.project.id as ProjectId });
    const { operation, resourceId } = await createVm(fleet.test.cp, fleet.test.admin, plain);
    world.vmId = resourceId as VmId;
    await perform(operation.id, 'vm.create');
    expect([seedPathOf(world), (await vmOf(world)).cloudInit]).toEqual([null, null]);
  });

  it('leaves no user data in clear in the database, whatever becomes of the VM', async () => {
    const world = await aWorld();
    await create(world);
    await update(world, { cloudInit: { userData: `#!/bin/sh\necho ${SECRET}\n` } });
    const waiting = await aWorld();
    const hostId = fleet.hosts[0]?.hostId as HostId;
    await cordonHost(fleet.test.cp, fleet.test.admin, hostId, 'full');
    await requestCreate(waiting, { waitForCapacity: { deadlineMs: 60_000, priority: 0 } });
    await uncordonHost(fleet.test.cp, fleet.test.admin, hostId);
    const tables = await fleet.test.sql<{ name: string }>(
      `SELECT format('%I', c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname = 'public'`,
    );
    expect(tables.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['waiting_vms', 'operations', 'vm_user_data']),
    );
    expect((await fleet.test.sql('SELECT 1 FROM waiting_vms WHERE vm_id = $1', [waiting.vmId])).length).toBe(1);
    const hex = Buffer.from(SECRET).toString('hex');
    for (const { name } of tables) {
      const found = await fleet.test.sql(
        `SELECT 1 FROM ${name} t WHERE t::text LIKE '%' || $1 || '%' OR t::text LIKE '%' || $2 || '%'`,
        [SECRET, hex],
      );
      expect([name, found]).toEqual([name, []]);
    }
  });

  it('gets what is changed at its next start, and keeps its instance id', async () => {
    const world = await aWorld();
    await create(world);
    const before = (await vmOf(world)).cloudInit;
    const change = UpdateVmRequest.parse({ cloudInit: { hostname: 'front', userData: null } });
    const plan = await planVmUpdate(fleet.test.cp, fleet.test.admin, world.vmId, change);
    expect(plan.changes).toMatchObject([
      { field: 'cloudInit.hostname', from: null, to: 'front', effect: 'next-boot' },
      { field: 'cloudInit.userData', to: null, effect: 'next-boot' },
    ]);
    await update(world, { cloudInit: { hostname: 'front', userData: null } });
    expect((await vmOf(world)).cloudInit).toEqual(before);
    expect((await vmOf(world)).pendingChanges.map(({ field }) => field)).toEqual([
      'cloudInit.hostname',
      'cloudInit.userData',
    ]);
    expect([await keptOf(world), (await seedOf(world)).includes(SECRET)]).toEqual([1, true]);
    await ask(world, 'reboot');
    expect((await vmOf(world)).cloudInit).toEqual({ ...before, hostname: 'front', hasUserData: false });
    expect([await keptOf(world), (await seedOf(world)).includes(SECRET)]).toEqual([0, false]);
    expect(await seedOf(world)).toContain('"local-hostname": "front"');
  });

  it('loses its seed disk, and gets one, at a start', async () => {
    const world = await aWorld();
    await create(world);
    await update(world, { cloudInit: null });
    await ask(world, 'reboot');
    expect([seedPathOf(world), (await vmOf(world)).cloudInit]).toEqual([null, null]);
    await update(world, { cloudInit: {} });
    await ask(world, 'reboot');
    expect(await seedOf(world)).toContain('"public-keys": []');
  });

  it('leaves nothing of it when it is deleted', async () => {
    const world = await aWorld();
    await create(world);
    const path = seedPathOf(world) ?? '';
    await ask(world, 'delete');
    expect(await keptOf(world)).toBe(0);
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
