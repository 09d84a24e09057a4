import {
  MIB,
  type OperationId,
  ordinaryMemoryBytes,
  type Project,
  type ProjectId,
  type UpdateVmRequest,
  VmGroupRule,
  type VmId,
} from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Database } from '../../src/database/database.js';
import type { AnyDefinition } from '../../src/operations/operation-run.js';
import { getProject } from '../../src/project/projects.js';
import { reconcileLeakedReservations } from '../../src/reconcilers/leaked-reservations.reconciler.js';
import { createVm } from '../../src/vm/create-vm.js';
import { operationDefinitions, type WorkerServices } from '../../src/vm/operation-definitions.js';
import { requestVm } from '../../src/vm/request-vm.js';
import { planVmUpdate, updateVm } from '../../src/vm/update-vm.js';
import { getVm } from '../../src/vm/vms.js';
import { createVmGroup } from '../../src/vm-group/create-vm-group.js';
import { makeWorker, proveOperation, workToEnd } from '../operation-harness.js';
import { aProject, vmRequest } from '../world/fleet-builder.js';
import { openSimulatedFleet, REPORT_WAIT, type SimulatedFleet } from '../world/simulated-fleet.js';

/** Updates of VMs against real agents over gRPC; only the hypervisor under the agents is simulated. */
let fleet: SimulatedFleet;
beforeAll(async () => {
  fleet = await openSimulatedFleet({ hostCount: 1, vmsPerHost: 500, hostCpuCount: 128 });
});
afterAll(() => fleet.close());

interface World {
  readonly database: Database;
  readonly project: Project;
  readonly vmId: VmId;
}

const definitionOf = (
  kind: 'vm.create' | 'vm.update' | 'vm.reboot' | 'vm.start' | 'vm.stop',
): AnyDefinition<WorkerServices> => {
  const definition = operationDefinitions.get(kind);
  if (definition === undefined) throw new TypeError(`${kind} has a definition`);
  return definition;
};

const end = async (operationId: OperationId, kind: Parameters<typeof definitionOf>[0]) => {
  const { database } = fleet.test.cp;
  const worker = makeWorker(database, definitionOf(kind), fleet.test.cp);
  try {
    return await workToEnd(database, worker, operationId);
  } finally {
    worker.die();
  }
};
const perform = async (operationId: OperationId, kind: Parameters<typeof definitionOf>[0]): Promise<void> =>
  expect(await end(operationId, kind)).toEqual({ state: 'succeeded', error: null });

const ROOM = { maxVcpuCount: 4, maxMemoryBytes: 1024 * MIB };

async function aRunningVm(start = true): Promise<World> {
  const project = await aProject(fleet.test);
  const plain = vmRequest(fleet, { projectId: project.id as ProjectId, start });
  const hardware = { ...plain.hardware, devices: { ...plain.hardware.devices, ...ROOM } };
  const { operation, resourceId } = await createVm(fleet.test.cp, fleet.test.admin, { ...plain, hardware });
  await perform(operation.id, 'vm.create');
  return { database: fleet.test.cp.database, project, vmId: resourceId as VmId };
}

const vmOf = (vmId: VmId) => getVm(fleet.test.cp, fleet.test.admin, vmId);
const request = (changes: Partial<UpdateVmRequest>): UpdateVmRequest => ({ onlyLive: false, ...changes });
const update = (vmId: VmId, changes: Partial<UpdateVmRequest>, options = {}) =>
  updateVm(fleet.test.cp, fleet.test.admin, vmId, request(changes), options);
const performUpdate = async (vmId: VmId, changes: Partial<UpdateVmRequest>) =>
  perform((await update(vmId, changes)).operation.id, 'vm.update');
const plan = (vmId: VmId, changes: Partial<UpdateVmRequest>) =>
  planVmUpdate(fleet.test.cp, fleet.test.admin, vmId, request(changes));
const usedBy = async ({ project }: World) =>
  (await getProject(fleet.test.cp, fleet.test.admin, project.id as ProjectId)).used;
const processOf = (vmId: VmId) => {
  const [process] = fleet.hosts.flatMap(({ machine }) =>
    [...machine.processes.values()].filter(({ launch }) => launch.vmId === vmId),
  );
  if (process === undefined) throw new TypeError('the VM runs');
  return process;
};
const diskCountOf = (vmId: VmId): number =>
  fleet.hosts.flatMap(({ machine }) => [...machine.disks.keys()].filter((path) => path.includes(vmId))).length;

/** What a VM is, in one line; used before and after. */
async function stateOf(world: World) {
  const vm = await vmOf(world.vmId);
  const { name, labels, vmGroupId, vcpuCount, memoryBytes, hardware, volumes, pendingChanges } = vm;
  return {
    name,
    labels,
    vmGroupId,
    vcpuCount,
    memoryBytes,
    hardware,
    volumes,
    pendingChanges,
    used: await usedBy(world),
  };
}

const before = new Map<string, Awaited<ReturnType<typeof stateOf>>>();
const EVERYTHING = {
  name: 'renamed',
  labels: { tier: 'web' },
  vcpuCount: 3,
  memoryBytes: 512 * MIB,
  rootDiskBytes: 1088 * MIB,
  hardware: {
    devices: {
      dataDisks: [{ sizeBytes: 64 * MIB, throttle: { iops: 100 } }],
      nics: [{}],
      maxVcpuCount: 8,
    },
  },
};

proveOperation<World, WorkerServices>({
  definition: definitionOf('vm.update'),
  services: () => fleet.test.cp,
  close: async ({ vmId }) => processOf(vmId).crash(),
  arrange: async () => {
    const world = await aRunningVm();
    before.set(world.vmId, await stateOf(world));
    return world;
  },
  request: async ({ vmId, project }) => {
    const rules = [VmGroupRule.parse({ kind: 'anti-affinity', level: 'host' })];
    const group = { name: 'web', projectId: project.id, description: '', rules };
    const { id: vmGroupId } = await createVmGroup(fleet.test.cp, fleet.test.admin, group);
    return (await update(vmId, { ...EVERYTHING, vmGroupId })).operation.id;
  },
  expectDone: async (world) => {
    const vm = await vmOf(world.vmId);
    expect(vm).toMatchObject({ state: 'running', name: 'renamed', vcpuCount: 3, memoryBytes: 512 * MIB, epoch: 1 });
    expect(vm.vmGroupId).not.toBeNull();
    expect(vm.volumes.map(({ role, sizeBytes }) => [role, sizeBytes])).toEqual([
      ['root', 1088 * MIB],
      ['data', 64 * MIB],
    ]);
    expect(vm.pendingChanges.map(({ field }) => field)).toEqual(['hardware.devices.maxVcpuCount']);
    const { machine } = processOf(world.vmId);
    expect(machine).toMatchObject({ vcpuCount: 3, memoryBytes: 512 * MIB });
    expect(machine.hardware.devices.nics[0]?.macAddress).toMatch(/^02:/);
    expect(await usedBy(world)).toMatchObject({ vcpuCount: 3, memoryBytes: 512 * MIB, diskBytes: 1152 * MIB });
    expect(await reconcileLeakedReservations(fleet.test.cp)).toBe(0);
  },
  expectCleanSlate: async (world) => {
    await vi.waitFor(async () => expect((await vmOf(world.vmId)).state).toBe('running'), REPORT_WAIT);
    expect(await stateOf(world)).toEqual(before.get(world.vmId));
    const { machine } = processOf(world.vmId);
    expect(machine).toMatchObject({ vcpuCount: before.get(world.vmId)?.vcpuCount });
    expect(machine.hardware.devices).toMatchObject({ dataDisks: [], nics: [] });
    expect(diskCountOf(world.vmId)).toBe(1);
    expect(await fleet.test.sql('SELECT FROM nic_addresses WHERE vm_id = $1', [world.vmId])).toEqual([]);
    expect(await reconcileLeakedReservations(fleet.test.cp)).toBe(0);
  },
});

describe('an update of a VM', () => {
  it('says field by field what it would do, and does nothing', async () => {
    const world = await aRunningVm();
    const was = await stateOf(world);
    const { changes, pendingChanges } = await plan(world.vmId, {
      vcpuCount: 2,
      hardware: { devices: { maxMemoryBytes: 2048 * MIB } },
    });
    expect(changes.map(({ field, effect }) => [field, effect])).toEqual([
      ['vcpuCount', 'live'],
      ['hardware.devices.maxMemoryBytes', 'next-boot'],
    ]);
    expect(pendingChanges).toHaveLength(1);
    expect(await stateOf(world)).toEqual(was);
  });

  it('waits for the next start where it has to, pays for it at once, and is in force then', async () => {
    const world = await aRunningVm();
    const { vcpuCount } = await vmOf(world.vmId);
    await performUpdate(world.vmId, { vcpuCount: 6, hardware: { devices: { maxVcpuCount: 8 } } });
    expect(await vmOf(world.vmId)).toMatchObject({ state: 'running', vcpuCount });
    expect((await vmOf(world.vmId)).pendingChanges.map(({ field, to }) => [field, to])).toEqual([
      ['vcpuCount', 6],
      ['hardware.devices.maxVcpuCount', 8],
    ]);
    expect(await usedBy(world)).toMatchObject({ vcpuCount: 6 });
    const { operation } = await requestVm(fleet.test.cp, fleet.test.admin, world.vmId, 'reboot', { graceMs: 0 });
    await perform(operation.id, 'vm.reboot');
    expect(await vmOf(world.vmId)).toMatchObject({ state: 'running', vcpuCount: 6, pendingChanges: [], epoch: 2 });
    expect(processOf(world.vmId).launch.vcpuCount).toBe(6);
    await performUpdate(world.vmId, { vcpuCount: 1 });
    expect(await usedBy(world)).toMatchObject({ vcpuCount: (await vmOf(world.vmId)).vcpuCount });
    expect(await reconcileLeakedReservations(fleet.test.cp)).toBe(0);
  });

  it('holds the memory that the hypervisor needs beside a larger guest, and gives it back', async () => {
    const world = await aRunningVm();
    const reserved = async () => {
      const [row] = await fleet.test.sql('SELECT memory_bytes FROM reservations WHERE vm_id = $1', [world.vmId]);
      return Number(row?.['memory_bytes']);
    };
    const promised = async () => {
      const vm = await vmOf(world.vmId);
      return ordinaryMemoryBytes({ ...vm, accelerator: vm.accelerator ?? null });
    };
    const { memoryBytes } = await vmOf(world.vmId);
    await performUpdate(world.vmId, { vcpuCount: 3, memoryBytes: 1024 * MIB });
    expect(await reserved()).toBe(await promised());
    const large = await reserved();
    await performUpdate(world.vmId, { memoryBytes });
    expect(await reserved()).toBe(await promised());
    expect(await reserved()).toBeLessThan(large - (1024 * MIB - memoryBytes));
    expect(await reconcileLeakedReservations(fleet.test.cp)).toBe(0);
  });

  it('ends with a clear error, and the VM as it was, when the guest does not let go of a device', async () => {
    const world = await aRunningVm();
    await performUpdate(world.vmId, { hardware: { devices: { nics: [{}] } } });
    const was = await stateOf(world);
    processOf(world.vmId).takesPartInChanges = false;
    const { operation } = await update(world.vmId, { hardware: { devices: { nics: [] } } });
    expect(await end(operation.id, 'vm.update')).toMatchObject({
      state: 'failed',
      error: { code: 'conflict_state', message: expect.stringContaining('has not let go of') },
    });
    await vi.waitFor(async () => expect((await vmOf(world.vmId)).state).toBe('running'), REPORT_WAIT);
    expect(await stateOf(world)).toEqual(was);
  });

  it('changes a stopped VM as a whole, and the next start is of that', async () => {
    const world = await aRunningVm(false);
    await performUpdate(world.vmId, { vcpuCount: 2, hardware: { devices: { dataDisks: [{ sizeBytes: 8 * MIB }] } } });
    const vm = await vmOf(world.vmId);
    expect(vm).toMatchObject({ state: 'stopped', vcpuCount: 2, pendingChanges: [] });
    expect(diskCountOf(world.vmId)).toBe(2);
    await performUpdate(world.vmId, { hardware: { devices: { dataDisks: [] } } });
    expect(diskCountOf(world.vmId)).toBe(1);
    expect(await usedBy(world)).toMatchObject({ vcpuCount: 2, diskBytes: vm.volumes[0]?.sizeBytes });
  });

  it('is refused beyond quota, and nothing is changed', async () => {
    const world = await aRunningVm();
    const was = await stateOf(world);
    await fleet.test.sql('UPDATE projects SET quota_vcpu_count = used_vcpu_count WHERE id = $1', [world.project.id]);
    await expect(update(world.vmId, { vcpuCount: 4 })).rejects.toMatchObject({ code: 'quota_exceeded' });
    expect(await stateOf(world)).toEqual(was);
  });

  const UNKNOWN = '019a0000-0000-7000-8000-00000000ffff';
  it.each<[what: string, changes: Partial<UpdateVmRequest>, code: string, field: string]>([
    ['more vCPUs than its maximum', { vcpuCount: 5 }, 'invalid_request', 'body.vcpuCount'],
    ['more memory than its maximum', { memoryBytes: 4096 * MIB }, 'invalid_request', 'body.memoryBytes'],
    ['a smaller root disk', { rootDiskBytes: MIB }, 'invalid_request', 'body.hardware.devices.rootDisk.sizeBytes'],
    [
      'a disk that it has not',
      { hardware: { devices: { dataDisks: [{ id: UNKNOWN, sizeBytes: MIB }] } } },
      'invalid_request',
      'body.hardware.devices.dataDisks[0].id',
    ],
    [
      'a disk of less than nothing',
      { hardware: { devices: { dataDisks: [{ sizeBytes: -1 }] } } },
      'invalid_request',
      'body.hardware.devices.dataDisks.0.sizeBytes',
    ],
    [
      '65 disks',
      { hardware: { devices: { dataDisks: Array.from({ length: 65 }, () => ({ sizeBytes: MIB })) } } },
      'invalid_request',
      'body.hardware.devices.dataDisks',
    ],
    [
      'two cards with one address',
      { hardware: { devices: { nics: [{ macAddress: '02:00:00:00:00:01' }, { macAddress: '02:00:00:00:00:01' }] } } },
      'invalid_request',
      'body.hardware.devices.nics.1.macAddress',
    ],
    [
      'a part that there is not',
      { hardware: { devices: { floppies: [] } } },
      'invalid_request',
      'body.hardware.devices',
    ],
    ['another host', { hostId: UNKNOWN as never }, 'conflict_state', 'body.hostId'],
    [
      'what waits, when it must not',
      { hardware: { firmware: { tpm: '2.0' } }, onlyLive: true },
      'conflict_state',
      'body.hardware.firmware.tpm',
    ],
    [
      'dedicated CPUs beside room for more vCPUs',
      { hardware: { cpuPolicy: { policy: 'dedicated' } } },
      'invalid_request',
      'body.hardware.devices.maxVcpuCount',
    ],
    [
      'a topology of other vCPUs',
      { hardware: { cpu: { topology: { sockets: 3, cores: 1, threads: 1 } }, devices: { maxVcpuCount: null } } },
      'invalid_request',
      'body.hardware.cpu.topology',
    ],
    [
      'a mainboard that its host has not',
      { hardware: { machineType: 'pc-q35-999.0' } },
      'conflict_state',
      'body.hardware.machineType',
    ],
    [
      'a processor that its host has not',
      { hardware: { cpu: { model: 'Cray-v1' } } },
      'conflict_state',
      'body.hardware.cpu.model',
    ],
  ])('is refused for %s, and nothing is changed', async (_what, changes, code, field) => {
    const world = await aRunningVm();
    const was = await stateOf(world);
    const refusal = { code, details: { fields: expect.arrayContaining([expect.objectContaining({ field })]) } };
    await expect(update(world.vmId, changes)).rejects.toMatchObject(refusal);
    expect(await stateOf(world)).toEqual(was);
  });

  it('is refused when the VM has changed since it was read, and done once under one key', async () => {
    const { vmId } = await aRunningVm();
    const { generation } = await vmOf(vmId);
    await expect(update(vmId, { labels: { a: 'b' } }, { ifMatch: generation - 1 })).rejects.toMatchObject({
      code: 'precondition_failed',
    });
    const idempotency = { key: 'once', requestSha256: Buffer.alloc(32) };
    const first = await update(vmId, { labels: { a: 'b' } }, { idempotency, ifMatch: generation });
    expect((await update(vmId, { labels: { a: 'b' } }, { idempotency, ifMatch: generation })).operation.id).toBe(
      first.operation.id,
    );
    await perform(first.operation.id, 'vm.update');
  });

  /** The end of an update whose VM's process ends as this step of it begins. */
  async function endOfCrashed(vmId: VmId, operationId: OperationId, step: string) {
    const crashes = async (_: unknown, { index }: { index: number }): Promise<void> => {
      if (definitionOf('vm.update').steps[index]?.name === step) processOf(vmId).crash();
    };
    const { database } = fleet.test.cp;
    const observer = { beforeStep: crashes };
    const worker = makeWorker(database, definitionOf('vm.update'), fleet.test.cp, { observer });
    try {
      return await workToEnd(database, worker, operationId);
    } finally {
      worker.die();
    }
  }

  it('is undone when the process ends before its machine was changed, and can be asked for again', async () => {
    const { vmId } = await aRunningVm();
    const { operation } = await update(vmId, { rootDiskBytes: 1088 * MIB });
    const { state, error } = await endOfCrashed(vmId, operation.id, 'change-machine');
    expect([state, error?.code]).toEqual(['failed', 'guest_fault']);
    await vi.waitFor(async () => expect((await vmOf(vmId)).state).toBe('failed'), REPORT_WAIT);
    expect((await vmOf(vmId)).volumes).toMatchObject([{ role: 'root', sizeBytes: 1024 * MIB }]);
    await performUpdate(vmId, { rootDiskBytes: 1088 * MIB });
    await perform((await requestVm(fleet.test.cp, fleet.test.admin, vmId, 'start', {})).operation.id, 'vm.start');
    const { launch, disks } = processOf(vmId);
    expect(disks.get(launch.diskPath)?.sizeBytes).toBe(1088 * MIB);
  });

  it('is done also when the process ends before its last step, and its host reports that', async () => {
    const { vmId } = await aRunningVm();
    const { operation } = await update(vmId, { rootDiskBytes: 1088 * MIB });
    expect(await endOfCrashed(vmId, operation.id, 'finish')).toEqual({ state: 'succeeded', error: null });
    await vi.waitFor(async () => expect((await vmOf(vmId)).state).toBe('failed'), REPORT_WAIT);
    const { volumes, failure } = await vmOf(vmId);
    expect(volumes).toMatchObject([{ role: 'root', sizeBytes: 1088 * MIB }]);
    expect(failure).toMatchObject({ code: 'guest_fault' });
    await end((await requestVm(fleet.test.cp, fleet.test.admin, vmId, 'start', {})).operation.id, 'vm.start');
    await vi.waitFor(async () => expect((await vmOf(vmId)).state).toBe('running'), REPORT_WAIT);
    const { launch, disks } = processOf(vmId);
    expect(disks.get(launch.diskPath)?.sizeBytes).toBe(1088 * MIB);
  });
});
