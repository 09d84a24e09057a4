import type { ProjectId } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { deleteFlavor } from '../../src/flavor/delete-flavor.js';
import { deleteImage } from '../../src/image/delete-image.js';
import { getProject } from '../../src/project/projects.js';
import type { WorkerServices } from '../../src/vm/operation-definitions.js';
import { requestVm } from '../../src/vm/request-vm.js';
import { getVm } from '../../src/vm/vms.js';
import { deleteVmTemplate, planVmTemplateDeletion } from '../../src/vm-template/delete-template.js';
import { freezeTemplate, planTemplateFreeze } from '../../src/vm-template/freeze-template.js';
import { getVmTemplate, listVmTemplates } from '../../src/vm-template/vm-templates.js';
import { proveOperation } from '../operation-harness.js';
import { aFlavor, aName, anImage } from '../world/fleet-builder.js';
import { openSimulatedFleet, REPORT_WAIT, type SimulatedFleet } from '../world/simulated-fleet.js';
import {
  type Accepted,
  aWorldWithTemplate,
  aWorldWithVm,
  definitionOf,
  endGuests,
  freeze,
  perform,
  powersOf,
  type TemplateWorld,
} from './template-world.js';

/** Templates of VMs on real agents over gRPC and mTLS; only the hypervisor under them is simulated. */
let fleet: SimulatedFleet;
beforeAll(async () => {
  fleet = await openSimulatedFleet({ hostCount: 1, vmsPerHost: 500 });
});
afterAll(() => fleet.close());

type World = TemplateWorld;
const aWorld = () => aWorldWithVm(fleet);
const finish = (asked: Promise<Accepted>) => perform(fleet, asked);

const templateOf = ({ templateId }: World) => getVmTemplate(fleet.test.cp, fleet.test.admin, templateId);
const vmOf = ({ vmId }: World) => getVm(fleet.test.cp, fleet.test.admin, vmId);
const machine = () => fleet.hosts[0]?.machine as NonNullable<(typeof fleet.hosts)[0]>['machine'];
/** What lies on the host, whatever the database believes. */
const isOnHost = ({ templateId }: World): boolean =>
  [...machine().templates.keys()].some((folder) => folder.includes(templateId));
const ONE_VM = { vmCount: 1, vcpuCount: 1, memoryBytes: 256 * 2 ** 20, diskBytes: 2 ** 30 };
/** Templates are counted in nobody's quota. */
const expectQuota = async ({ project }: World): Promise<void> =>
  expect((await getProject(fleet.test.cp, fleet.test.admin, project.id as ProjectId)).used).toEqual(ONE_VM);

const common = {
  services: (): WorkerServices => fleet.test.cp,
  close: (world: World) => endGuests(fleet, world),
};

proveOperation<World, WorkerServices>({
  ...common,
  definition: definitionOf('vm.freeze-template'),
  arrange: aWorld,
  request: async (world) => (await freeze(fleet, world)).operation.id,
  expectDone: async (world) => {
    expect(isOnHost(world)).toBe(true);
    expect(powersOf(fleet, world.vmId)).toEqual(['running']);
    const made = { occupiedBytes: expect.any(Number), frozenAt: expect.any(String), failure: null };
    expect(await templateOf(world)).toMatchObject({ ...made, state: 'available', rootDiskBytes: ONE_VM.diskBytes });
    expect(await vmOf(world)).toMatchObject({ state: 'running', generation: 2, epoch: 1 });
    await expectQuota(world);
  },
  expectCleanSlate: async (world) => {
    expect(isOnHost(world)).toBe(false);
    await expect(templateOf(world)).rejects.toMatchObject({ code: 'not_found' });
    expect(powersOf(fleet, world.vmId)).toEqual(['running']);
    expect(await vmOf(world)).toMatchObject({ state: 'running', epoch: 1 });
    await expectQuota(world);
  },
});

proveOperation<World, WorkerServices>({
  ...common,
  definition: definitionOf('vm.freeze-template'),
  arrange: aWorld,
  request: async (world) => (await freeze(fleet, world, false)).operation.id,
  expectDone: async (world) => {
    expect(isOnHost(world)).toBe(true);
    expect(powersOf(fleet, world.vmId)).toEqual([]);
    expect(await templateOf(world)).toMatchObject({ state: 'available' });
    expect(await vmOf(world)).toMatchObject({ state: 'stopped', generation: 2 });
  },
  expectCleanSlate: async (world) => {
    expect(isOnHost(world)).toBe(false);
    await expect(templateOf(world)).rejects.toMatchObject({ code: 'not_found' });
    // It goes on where it stood still.
    expect(powersOf(fleet, world.vmId)).toEqual(['running']);
    await vi.waitFor(async () => expect(await vmOf(world)).toMatchObject({ state: 'running' }), REPORT_WAIT);
  },
});

proveOperation<World, WorkerServices>({
  ...common,
  definition: definitionOf('vm-template.delete'),
  arrange: () => aWorldWithTemplate(fleet),
  request: async ({ templateId }) => (await deleteVmTemplate(fleet.test.cp, fleet.test.admin, templateId)).operation.id,
  expectDone: async (world) => {
    expect(isOnHost(world)).toBe(false);
    await expect(templateOf(world)).rejects.toMatchObject({ code: 'not_found' });
  },
  expectCleanSlate: async (world) => {
    expect(isOnHost(world)).toBe(true);
    expect(await templateOf(world)).toMatchObject({ state: 'available', failure: { code: 'cancelled' } });
  },
});

describe('a template', () => {
  it('has what its forks will have, and its name is free again once it is deleted', async () => {
    const { cp, admin } = fleet.test;
    const world = await aWorldWithTemplate(fleet);
    const { name, ...template } = await templateOf(world);
    const vm = await vmOf(world);
    expect(template).toMatchObject({
      ...{ goldenVmId: vm.id, goldenVmName: vm.name, hostId: vm.hostId, hostName: vm.hostName, imageId: vm.imageId },
      ...{ machineType: vm.machineType, memoryBytes: vm.memoryBytes, baseTemplateId: null, forkCount: 0 },
    });
    const again = () => freezeTemplate(cp, admin, world.vmId, { name, keepsRunning: true });
    await expect(again()).rejects.toMatchObject({
      code: 'already_exists',
      details: { fields: [{ field: 'body.name' }] },
    });
    await finish(deleteVmTemplate(cp, admin, world.templateId));
    await finish(again());
    const query = { projectId: world.project.id as ProjectId, limit: 10 };
    expect((await listVmTemplates(cp, admin, query)).items).toMatchObject([{ name, state: 'available' }]);
  });

  it('is planned with the refusals of the request, and nothing is changed', async () => {
    const { cp, admin } = fleet.test;
    const world = await aWorldWithTemplate(fleet);
    const before = await vmOf(world);
    const request = { name: aName('template'), keepsRunning: false };
    expect(await planTemplateFreeze(cp, admin, world.vmId, request)).toMatchObject({
      operation: 'vm.freeze-template',
      steps: [{ name: 'freeze', undo: 'taken back' }, { name: 'stop-golden' }],
      hostId: before.hostId,
    });
    expect(await planVmTemplateDeletion(cp, admin, world.templateId)).toMatchObject({
      operation: 'vm-template.delete',
    });
    expect(await vmOf(world)).toEqual(before);
    expect(await templateOf(world)).toMatchObject({ state: 'available', generation: 1 });
  });

  it('keeps its flavor and image from being deleted, also when the VM it was frozen of is gone', async () => {
    const { cp, admin, sql } = fleet.test;
    const flavor = await aFlavor(fleet.test);
    const world = await aWorldWithVm(fleet, { flavor });
    await finish(freeze(fleet, world));
    await finish(requestVm(cp, admin, world.vmId, 'delete'));
    const refusal = { code: 'in_use', details: { templateCount: 1 } };
    await expect(deleteFlavor(cp, admin, flavor.id)).rejects.toMatchObject(refusal);
    // The image of the fleet is in use by other VMs.
    const imageId = await anImage(fleet.test);
    await sql('UPDATE vm_templates SET image_id = $2 WHERE id = $1', [world.templateId, imageId]);
    await expect(deleteImage(cp, admin, imageId)).rejects.toMatchObject(refusal);
    await finish(deleteVmTemplate(cp, admin, world.templateId));
    await deleteFlavor(cp, admin, flavor.id);
    await deleteImage(cp, admin, imageId);
  });

  it.each([
    ['room for more memory', { devices: { maxMemoryBytes: 2 ** 30 } }, 'hardware.devices.maxMemoryBytes'],
    ['a data disk', { devices: { dataDisks: [{ sizeBytes: 2 ** 30 }] } }, 'hardware.devices.dataDisks'],
    ['preallocated memory', { memory: { isPreallocated: true } }, 'hardware.memory'],
  ])('is not made of a VM with %s, and the refusal names the field and the remedy', async (_, hardware, field) => {
    const { cp, admin } = fleet.test;
    const world = await aWorldWithVm(fleet, { hardware });
    await expect(freeze(fleet, world)).rejects.toMatchObject({
      code: 'conflict_state',
      details: { fields: [{ field, message: expect.stringMatching(/^a VM .* cannot be frozen: [a-z]/) }] },
    });
    expect(await vmOf(world)).toMatchObject({ state: 'running', generation: 1 });
    await finish(requestVm(cp, admin, world.vmId, 'delete'));
  });

  it('is not made of a VM that does not run', async () => {
    const world = await aWorld();
    await finish(requestVm(fleet.test.cp, fleet.test.admin, world.vmId, 'pause'));
    await expect(freeze(fleet, world)).rejects.toMatchObject({
      code: 'conflict_state',
      details: { fields: [{ field: 'state', message: 'the VM is paused: only one that runs can be frozen' }] },
    });
  });
});
