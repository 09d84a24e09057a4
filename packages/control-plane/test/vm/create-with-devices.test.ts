import {
  type CreateVmRequest,
  MIB,
  type OperationId,
  type Project,
  type ProjectId,
  type VmHardware,
  type VmId,
} from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/database/database.js';
import type { AnyDefinition } from '../../src/operations/operation-run.js';
import { getProject } from '../../src/project/projects.js';
import { reconcileLeakedReservations } from '../../src/reconcilers/leaked-reservations.reconciler.js';
import { createVm } from '../../src/vm/create-vm.js';
import { operationDefinitions, type WorkerServices } from '../../src/vm/operation-definitions.js';
import { requestVm } from '../../src/vm/request-vm.js';
import { getVm } from '../../src/vm/vms.js';
import { makeWorker, proveOperation, workToEnd } from '../operation-harness.js';
import { aProject, VM_SIZE, vmRequest } from '../world/fleet-builder.js';
import { openSimulatedFleet, type SimulatedFleet } from '../world/simulated-fleet.js';

/** VMs that have disks, cards and drives from the start, against real agents over gRPC. */
let fleet: SimulatedFleet;
beforeAll(async () => {
  fleet = await openSimulatedFleet({ hostCount: 1, vmsPerHost: 500 });
});
afterAll(() => fleet.close());

interface World {
  readonly database: Database;
  readonly project: Project;
  vmId: VmId;
}

const definitionOf = (kind: 'vm.create' | 'vm.delete'): AnyDefinition<WorkerServices> => {
  const definition = operationDefinitions.get(kind);
  if (definition === undefined) throw new TypeError(`${kind} has a definition`);
  return definition;
};

const perform = async (operationId: OperationId, kind: 'vm.create' | 'vm.delete'): Promise<void> => {
  const { database } = fleet.test.cp;
  const worker = makeWorker(database, definitionOf(kind), fleet.test.cp);
  try {
    expect(await workToEnd(database, worker, operationId)).toEqual({ state: 'succeeded', error: null });
  } finally {
    worker.die();
  }
};

const NEW_DISK = { id: null, poolId: null, cache: 'auto', discard: true, serial: null, slot: null } as const;
const UNLIMITED = { iops: null, bytesPerSecond: null };
const NEW_CARD = { id: null, macAddress: null, backend: { kind: 'isolated' }, slot: null } as const;

const devicesOf = (changes: Partial<VmHardware['devices']> = {}): Partial<VmHardware['devices']> => ({
  dataDisks: [
    { ...NEW_DISK, sizeBytes: 64 * MIB, throttle: UNLIMITED, serial: 'logs' },
    { ...NEW_DISK, sizeBytes: 32 * MIB, throttle: { iops: 100, bytesPerSecond: null } },
  ],
  nics: [NEW_CARD],
  cdroms: [{ name: 'cdrom-1', imageId: fleet.imageId, imageSha256: null }],
  ...changes,
});
const DATA_BYTES = 96 * MIB;

async function create(devices: Partial<VmHardware['devices']>, changes: Partial<CreateVmRequest> = {}) {
  const project = await aProject(fleet.test);
  const plain = vmRequest(fleet, { projectId: project.id as ProjectId, ...changes });
  const hardware = { ...plain.hardware, devices: { ...plain.hardware.devices, ...devices } };
  const { operation, resourceId } = await createVm(fleet.test.cp, fleet.test.admin, { ...plain, hardware });
  return { database: fleet.test.cp.database, project, vmId: resourceId as VmId, operationId: operation.id };
}

const vmOf = (vmId: VmId) => getVm(fleet.test.cp, fleet.test.admin, vmId);
const usedBy = async ({ project }: Pick<World, 'project'>) =>
  (await getProject(fleet.test.cp, fleet.test.admin, project.id as ProjectId)).used;
const machines = () => fleet.hosts.map(({ machine }) => machine);
const processesOf = (vmId: VmId) =>
  machines().flatMap((machine) => [...machine.processes.values()].filter(({ launch }) => launch.vmId === vmId));
const disksOf = (vmId: VmId): string[] =>
  machines().flatMap((machine) => [...machine.disks.keys()].filter((path) => path.includes(vmId)));
const rowsOf = async (vmId: VmId) =>
  (
    await fleet.test.sql(
      `SELECT (SELECT count(*)::int FROM reservations WHERE vm_id = $1) AS reservations,
              (SELECT count(*)::int FROM volumes WHERE vm_id = $1 AND deleted_at IS NULL) AS volumes,
              (SELECT count(*)::int FROM nic_addresses WHERE vm_id = $1) AS addresses`,
      [vmId],
    )
  )[0];
const NOTHING_HELD = { reservations: 0, volumes: 0, addresses: 0 };

proveOperation<World, WorkerServices>({
  definition: definitionOf('vm.create'),
  services: () => fleet.test.cp,
  close: async ({ vmId }) => {
    for (const process of processesOf(vmId)) process.crash();
  },
  arrange: async () => ({ database: fleet.test.cp.database, project: await aProject(fleet.test), vmId: '' as VmId }),
  request: async (world) => {
    const { vmId, operationId } = await create(devicesOf(), { projectId: world.project.id as ProjectId });
    world.vmId = vmId;
    return operationId;
  },
  expectDone: async (world) => {
    const vm = await vmOf(world.vmId);
    expect(vm).toMatchObject({ state: 'running', epoch: 1, failure: null, pendingChanges: [] });
    expect(vm.volumes.map(({ role, sizeBytes }) => [role, sizeBytes])).toEqual([
      ['root', VM_SIZE.rootDiskBytes],
      ['data', 64 * MIB],
      ['data', 32 * MIB],
    ]);
    const [process, ...others] = processesOf(world.vmId);
    expect(others).toEqual([]);
    expect(process?.machine.hardware.devices).toEqual(vm.hardware.devices);
    expect(disksOf(world.vmId)).toHaveLength(3);
    expect(await rowsOf(world.vmId)).toEqual({ reservations: 1, volumes: 3, addresses: 1 });
    expect((await usedBy(world)).diskBytes).toBe(VM_SIZE.rootDiskBytes + DATA_BYTES);
    expect(await reconcileLeakedReservations(fleet.test.cp)).toBe(0);
  },
  expectCleanSlate: async (world) => {
    expect(processesOf(world.vmId)).toEqual([]);
    expect(disksOf(world.vmId)).toEqual([]);
    expect((await vmOf(world.vmId)).state).toBe('failed');
    expect(await rowsOf(world.vmId)).toEqual(NOTHING_HELD);
    expect(await usedBy(world)).toEqual({ vmCount: 1, vcpuCount: 0, memoryBytes: 0, diskBytes: 0 });
    expect(await reconcileLeakedReservations(fleet.test.cp)).toBe(0);
  },
});

describe('a VM that is created with devices', () => {
  it('has ids, slots and addresses that the site gave, before anything is on a host', async () => {
    const { vmId } = await create(devicesOf());
    const { hardware, volumes } = await vmOf(vmId);
    const { rootDisk, dataDisks, nics, cdroms } = hardware.devices;
    expect(rootDisk.sizeBytes).toBe(VM_SIZE.rootDiskBytes);
    expect(dataDisks.map(({ slot, serial }) => [slot, serial])).toEqual([
      [1, 'logs'],
      [2, null],
    ]);
    expect(volumes.slice(1).map(({ id }) => id)).toEqual(dataDisks.map(({ id }) => id).sort());
    expect(nics).toEqual([{ ...NEW_CARD, id: expect.any(String), macAddress: expect.stringMatching(/^02:/), slot: 3 }]);
    expect(cdroms).toEqual([
      { name: 'cdrom-1', imageId: fleet.imageId, imageSha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    ]);
    expect(disksOf(vmId)).toEqual([]);
  });

  it('takes its disks along when it is deleted', async () => {
    const world = await create(devicesOf());
    await perform(world.operationId, 'vm.create');
    const { operation } = await requestVm(fleet.test.cp, fleet.test.admin, world.vmId, 'delete', {});
    await perform(operation.id, 'vm.delete');
    expect(disksOf(world.vmId)).toEqual([]);
    expect(await rowsOf(world.vmId)).toEqual(NOTHING_HELD);
    expect(await usedBy(world)).toEqual({ vmCount: 0, vcpuCount: 0, memoryBytes: 0, diskBytes: 0 });
    expect(await reconcileLeakedReservations(fleet.test.cp)).toBe(0);
  });

  it('may be told the size of its root disk in either place', async () => {
    const sized = { rootDisk: { sizeBytes: 2048 * MIB, poolId: null, throttle: UNLIMITED } };
    const { vmId } = await create(sized, { rootDiskBytes: 2048 * MIB });
    expect((await vmOf(vmId)).volumes).toEqual([expect.objectContaining({ role: 'root', sizeBytes: 2048 * MIB })]);
    await expect(create(sized, { rootDiskBytes: 1024 * MIB })).rejects.toMatchObject({
      code: 'invalid_request',
      details: { fields: [{ field: 'body.hardware.devices.rootDisk.sizeBytes' }] },
    });
  });

  it('does not get an address that a card of the site has, whichever of two comes first', async () => {
    const macAddress = '02:00:00:00:00:07';
    const card = { nics: [{ ...NEW_CARD, macAddress }] };
    const ends = await Promise.allSettled([create(card), create(card), create(card)]);
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const end of ends) {
      if (end.status === 'fulfilled') continue;
      expect(end.reason).toMatchObject({
        code: 'already_exists',
        details: { fields: [{ field: 'body.hardware.devices.nics[0].macAddress' }] },
      });
    }
  });

  const REFUSED: [what: string, devices: () => Partial<VmHardware['devices']>, code: string, field: string][] = [
    [
      'a disk with an id',
      () =>
        devicesOf({ dataDisks: [{ ...NEW_DISK, id: fleet.imageId as never, sizeBytes: MIB, throttle: UNLIMITED }] }),
      'invalid_request',
      'dataDisks[0].id',
    ],
    ['a card with a slot', () => devicesOf({ nics: [{ ...NEW_CARD, slot: 4 }] }), 'invalid_request', 'nics[0].slot'],
    [
      'a drive with an image that is not there',
      () => devicesOf({ cdroms: [{ name: 'cdrom-1', imageId: fleet.flavor.id as never, imageSha256: null }] }),
      'not_found',
      'cdroms[0].imageId',
    ],
    ['less room than vCPUs', () => ({ maxMemoryBytes: 64 * MIB }), 'invalid_request', 'maxMemoryBytes'],
  ];
  it.each(REFUSED)('is refused %s, and nothing is recorded', async (_what, devices, code, field) => {
    await expect(create(devices())).rejects.toMatchObject({
      code,
      details: { fields: [{ field: `body.hardware.devices.${field}` }] },
    });
  });

  it('counts all its disks against quota and host', async () => {
    const bytes = VM_SIZE.rootDiskBytes + DATA_BYTES;
    const tight = await aProject(fleet.test, { diskBytes: bytes - 1 });
    const projectId = tight.id as ProjectId;
    await expect(create(devicesOf(), { projectId })).rejects.toMatchObject({ code: 'quota_exceeded' });
    const [host] = await fleet.test.sql<{ bytes: string }>('SELECT capacity_disk_bytes AS bytes FROM hosts');
    const tooLarge = [{ ...NEW_DISK, sizeBytes: Number(host?.bytes), throttle: UNLIMITED }];
    await expect(create({ dataDisks: tooLarge })).rejects.toMatchObject({ code: 'no_capacity' });
    expect((await usedBy({ project: tight })).vmCount).toBe(0);
  });
});
