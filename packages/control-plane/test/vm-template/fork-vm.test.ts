import { type CreateVmRequest, newId, type ProjectId, VmHardware, type VmId, type VmTemplateId } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { planHostDrain } from '../../src/placement/plan-moves.js';
import { getProject } from '../../src/project/projects.js';
import { reconcileLeakedReservations } from '../../src/reconcilers/leaked-reservations.reconciler.js';
import { createVm } from '../../src/vm/create-vm.js';
import { moveVm } from '../../src/vm/move-vm.js';
import type { WorkerServices } from '../../src/vm/operation-definitions.js';
import { type PowerRequest, requestVm } from '../../src/vm/request-vm.js';
import { updateVm } from '../../src/vm/update-vm.js';
import { getVm } from '../../src/vm/vms.js';
import { deleteVmTemplate } from '../../src/vm-template/delete-template.js';
import { freezeTemplate } from '../../src/vm-template/freeze-template.js';
import { getVmTemplate } from '../../src/vm-template/vm-templates.js';
import { proveOperation } from '../operation-harness.js';
import { aName, aProject } from '../world/fleet-builder.js';
import { openSimulatedFleet, REPORT_WAIT, type SimulatedFleet } from '../world/simulated-fleet.js';
import {
  type Accepted,
  aWorldWithTemplate,
  definitionOf,
  endGuests,
  freeze,
  perform,
  powersOf,
  type TemplateWorld,
} from './template-world.js';

/** VMs created with a template, on real agents over gRPC and mTLS; only the hypervisor under them is simulated. */
let fleet: SimulatedFleet;
beforeAll(async () => {
  fleet = await openSimulatedFleet({ hostCount: 2, vmsPerHost: 300 });
});
afterAll(() => fleet.close());

type World = TemplateWorld;
const finish = (asked: Promise<Accepted>) => perform(fleet, asked);
const aWorld = () => aWorldWithTemplate(fleet);

const forkRequest = (templateId: VmTemplateId, changes: Partial<CreateVmRequest> = {}): CreateVmRequest => ({
  ...{
    name: aName('fork'),
    templateId,
    hardware: VmHardware.parse({}),
    start: true,
    highAvailability: false,
    labels: {},
  },
  ...changes,
});
const fork = async (world: World, changes: Partial<CreateVmRequest> = {}): Promise<Accepted> => {
  const accepted = await createVm(fleet.test.cp, fleet.test.admin, forkRequest(world.templateId, changes));
  world.forkId = accepted.resourceId as VmId;
  return accepted;
};
const vmOf = (vmId: VmId) => getVm(fleet.test.cp, fleet.test.admin, vmId);
const processOf = (vmId: VmId) => {
  const processes = fleet.hosts.flatMap(({ machine }) => [...machine.processes.values()]);
  const found = processes.find(({ launch }) => launch.vmId === vmId);
  if (found === undefined) throw new TypeError(`VM ${vmId} runs`);
  return found;
};
const used = async ({ project }: World) =>
  (await getProject(fleet.test.cp, fleet.test.admin, project.id as ProjectId)).used;
const disksOf = (vmId: VmId): string[] =>
  fleet.hosts.flatMap(({ machine }) => [...machine.disks.keys()].filter((path) => path.includes(vmId)));

const SIZE = { vcpuCount: 1, memoryBytes: 256 * 2 ** 20, diskBytes: 2 ** 30 };
const sizeOf = (count: number) => ({
  vmCount: count,
  vcpuCount: count * SIZE.vcpuCount,
  memoryBytes: count * SIZE.memoryBytes,
  diskBytes: count * SIZE.diskBytes,
});

proveOperation<World, WorkerServices>({
  definition: definitionOf('vm.create'),
  arrange: aWorld,
  request: async (world) => (await fork(world)).operation.id,
  services: () => fleet.test.cp,
  expectDone: async ({ forkId, templateId, ...world }) => {
    expect(powersOf(fleet, forkId)).toEqual(['running']);
    expect(await vmOf(forkId)).toMatchObject({ state: 'running', templateId, epoch: 1 });
    expect(await used({ forkId, templateId, ...world })).toEqual(sizeOf(2));
    expect(await reconcileLeakedReservations(fleet.test.cp)).toBe(0);
  },
  expectCleanSlate: async (world) => {
    const { forkId, templateId } = world;
    expect(powersOf(fleet, forkId)).toEqual([]);
    expect(disksOf(forkId)).toEqual([]);
    // Its record tells of the failure, and counts until it is deleted; the template can go.
    expect(await vmOf(forkId)).toMatchObject({ state: 'failed', templateId });
    expect(await used(world)).toEqual({ ...sizeOf(1), vmCount: 2 });
    expect(await reconcileLeakedReservations(fleet.test.cp)).toBe(0);
    expect(await getVmTemplate(fleet.test.cp, fleet.test.admin, templateId)).toMatchObject({ forkCount: 0 });
    await finish(deleteVmTemplate(fleet.test.cp, fleet.test.admin, templateId));
  },
  close: (world) => endGuests(fleet, world),
});

describe('a fork', () => {
  it('goes on where its template stood, on its host, in its machine, with an identity of its own', async () => {
    const world = await aWorld();
    const forkIds = (await Promise.all([1, 2, 3].map(() => finish(fork(world))))) as VmId[];
    const golden = processOf(world.vmId).launch;
    const { hostId, hardware, machineType } = await vmOf(world.vmId);
    for (const forkId of forkIds) {
      const { launch, counted } = processOf(forkId);
      // What its guest has counted to was in the memory that was frozen.
      expect(counted).toBeGreaterThan(0);
      expect(launch).toMatchObject({ machineType, memoryBytes: golden.memoryBytes });
      expect(await vmOf(forkId)).toMatchObject({ hostId, hardware: { ...hardware, machineType } });
    }
    const generationIds = [golden, ...forkIds.map((id) => processOf(id).launch)].map(
      (one) => one.firmware.generationId,
    );
    expect(new Set(generationIds).size).toBe(4);
    expect(await used(world)).toEqual(sizeOf(4));
    const { cp, admin } = fleet.test;
    expect(await getVmTemplate(cp, admin, world.templateId)).toMatchObject({ forkCount: 3 });
  });

  it('is a VM like any other once it has run: stopped, started, reset, paused, updated and deleted', async () => {
    const { cp, admin } = fleet.test;
    const world = await aWorld();
    const forkId = (await finish(fork(world))) as VmId;
    const ask = (request: PowerRequest) => finish(requestVm(cp, admin, forkId, request));
    await ask('reset');
    await ask('pause');
    await ask('resume');
    await ask('stop');
    await ask('start');
    expect(await vmOf(forkId)).toMatchObject({ state: 'running', epoch: 2, templateId: world.templateId });
    expect(processOf(forkId).counted).toBe(0);
    await finish(updateVm(cp, admin, forkId, { labels: { tier: 'web' }, onlyLive: true }));
    await ask('delete');
    expect(disksOf(forkId)).toEqual([]);
    await finish(deleteVmTemplate(cp, admin, world.templateId));
  });

  it('keeps its template from being deleted, which names it; so does a template of a fork', async () => {
    const { cp, admin } = fleet.test;
    const world = await aWorld();
    const name = aName('fork');
    const forkId = (await finish(fork(world, { name }))) as VmId;
    const remove = () => deleteVmTemplate(cp, admin, world.templateId);
    await expect(remove()).rejects.toMatchObject({
      code: 'in_use',
      details: { resting: [{ kind: 'VM', id: forkId, name }] },
    });
    await vi.waitFor(
      async () => expect(await vmOf(forkId)).toMatchObject({ machineType: expect.any(String) }),
      REPORT_WAIT,
    );
    const second = await finish(freezeTemplate(cp, admin, forkId, { name: aName('second'), keepsRunning: false }));
    await finish(requestVm(cp, admin, forkId, 'delete'));
    await expect(remove()).rejects.toMatchObject({
      code: 'in_use',
      details: { resting: [{ kind: 'template', id: second }] },
    });
    expect(await getVmTemplate(cp, admin, world.templateId)).toMatchObject({ state: 'available', forkCount: 0 });
    await finish(deleteVmTemplate(cp, admin, second as VmTemplateId));
    await finish(remove());
  });

  it('is made, or its template goes, when both are asked for at once', async () => {
    const { cp, admin } = fleet.test;
    const world = await aWorld();
    const [made, gone] = await Promise.allSettled([fork(world), deleteVmTemplate(cp, admin, world.templateId)]);
    expect([made.status, gone.status].sort()).toEqual(['fulfilled', 'rejected']);
    const code = made.status === 'fulfilled' ? 'in_use' : 'conflict_state';
    expect([made, gone].find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code } });
  });

  it('stays on its host: moves are refused, and a plan says why', async () => {
    const { cp, admin } = fleet.test;
    const world = await aWorld();
    const forkId = (await finish(fork(world))) as VmId;
    await finish(requestVm(cp, admin, forkId, 'stop'));
    const reason = expect.stringContaining('rests on a template of its host');
    await expect(moveVm(cp, admin, forkId, {})).rejects.toMatchObject({ code: 'conflict_state', message: reason });
    const { hostId } = await vmOf(forkId);
    if (hostId === null) throw new TypeError('it has a host');
    const { blockers } = await planHostDrain(cp, admin, hostId, { moveCountMax: 2000 });
    expect(blockers).toContainEqual(expect.objectContaining({ vmId: forkId, reason }));
  });

  it('is refused with the reason when the host of its template takes no VMs, though others would', async () => {
    const { sql } = fleet.test;
    const world = await aWorld();
    const { hostId } = await vmOf(world.vmId);
    await sql(`UPDATE hosts SET state = 'cordoned' WHERE id = $1`, [hostId]);
    try {
      await expect(fork(world)).rejects.toMatchObject({ code: 'no_capacity' });
    } finally {
      await sql(`UPDATE hosts SET state = 'active' WHERE id = $1`, [hostId]);
    }
  });

  it('has a seed disk exactly if the VM that was frozen had one', async () => {
    const cloudInit = { hostname: null, sshAuthorizedKeys: [], userData: null };
    const world = await aWorldWithTemplate(fleet, { cloudInit });
    const name = aName('fork');
    const forkId = (await finish(fork(world, { name }))) as VmId;
    expect(await vmOf(forkId)).toMatchObject({ cloudInit: { hostname: name, hasUserData: false } });
    const { cloudInit: golden } = await vmOf(world.vmId);
    expect((await vmOf(forkId)).cloudInit?.instanceId).not.toBe(golden?.instanceId);
    await expect(fork(await aWorld(), { cloudInit })).rejects.toMatchObject({
      details: { fields: [{ field: 'body.cloudInit' }] },
    });
  });

  it.each<[what: string, changes: Partial<CreateVmRequest>, field: string]>([
    ['another CPU', { hardware: VmHardware.parse({ cpu: { model: 'host' } }) }, 'body.hardware.cpu'],
    [
      'a data disk',
      { hardware: VmHardware.parse({ devices: { dataDisks: [{ sizeBytes: 2 ** 30 }] } }) },
      'body.hardware.devices',
    ],
    [
      'a larger root disk',
      { hardware: VmHardware.parse({ devices: { rootDisk: { sizeBytes: 2 ** 31 } } }) },
      'body.hardware.devices.rootDisk.sizeBytes',
    ],
    ['another mainboard', { hardware: VmHardware.parse({ machineType: 'pc-q35-9.0' }) }, 'body.hardware.machineType'],
    ['another host', { hostId: newId() }, 'body.hostId'],
    ['another project', { projectId: newId() }, 'body.projectId'],
  ])('is refused %s, and the field is named', async (_, changes, field) => {
    const world = await aWorld();
    await expect(fork(world, changes)).rejects.toMatchObject({
      code: 'invalid_request',
      details: { fields: [{ field, message: expect.stringMatching(/template/) }] },
    });
  });

  it('of a template of another project is not found', async () => {
    const world = await aWorld();
    const stranger = { ...fleet.test.admin, role: 'operator' as const, projectId: (await aProject(fleet.test)).id };
    const asked = createVm(fleet.test.cp, stranger, forkRequest(world.templateId));
    await expect(asked).rejects.toMatchObject({
      code: 'not_found',
      details: { fields: [{ field: 'body.templateId' }] },
    });
  });

  it('has cards and limits of its own', async () => {
    const world = await aWorld();
    const throttle = { iops: 100, bytesPerSecond: null };
    const hardware = VmHardware.parse({ devices: { nics: [{}], rootDisk: { throttle } } });
    const forkId = (await finish(fork(world, { hardware }))) as VmId;
    const { devices } = (await vmOf(forkId)).hardware;
    expect(devices).toMatchObject({ nics: [{ slot: 1, macAddress: expect.any(String) }], rootDisk: { throttle } });
  });

  it('of a template that is being made has to wait', async () => {
    const { cp, admin } = fleet.test;
    const world = await aWorld();
    const { operation } = await freeze(fleet, world);
    await expect(fork(world)).rejects.toMatchObject({
      code: 'conflict_state',
      details: { fields: [{ field: 'body.templateId', message: 'is creating' }] },
    });
    expect(operation.kind).toBe('vm.freeze-template');
    await expect(deleteVmTemplate(cp, admin, world.templateId)).rejects.toMatchObject({ code: 'conflict_state' });
  });
});
