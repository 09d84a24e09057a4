import { readFile, writeFile } from 'node:fs/promises';
import { MIB, type OperationId, type Project, type ProjectId, type VmHardware, type VmId } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Database } from '../../src/database/database.js';
import type { AnyDefinition } from '../../src/operations/operation-run.js';
import { listPlacements } from '../../src/placement/placements.js';
import { getProject } from '../../src/project/projects.js';
import { reconcileLeakedReservations } from '../../src/reconcilers/leaked-reservations.reconciler.js';
import { createVm } from '../../src/vm/create-vm.js';
import { moveVm, planVmMove } from '../../src/vm/move-vm.js';
import { operationDefinitions, type WorkerServices } from '../../src/vm/operation-definitions.js';
import { requestVm } from '../../src/vm/request-vm.js';
import { getVm } from '../../src/vm/vms.js';
import { createVmGroup } from '../../src/vm-group/create-vm-group.js';
import { makeWorker, proveOperation, workToEnd, workUntilDeath } from '../operation-harness.js';
import { aName, aProject, vmRequest } from '../world/fleet-builder.js';
import { openSimulatedFleet, REPORT_WAIT, type SimulatedFleet, type SimulatedHost } from '../world/simulated-fleet.js';

/** Moves of stopped VMs between real agents over gRPC and mTLS: what is copied goes from agent to agent. */
let fleet: SimulatedFleet;
beforeAll(async () => {
  fleet = await openSimulatedFleet({ hostCount: 2, vmsPerHost: 500 });
});
afterAll(() => fleet.close());

type Kind = Parameters<typeof operationDefinitions.get>[0];
const definitionOf = (kind: Kind): AnyDefinition<WorkerServices> => {
  const definition = operationDefinitions.get(kind);
  if (definition === undefined) throw new TypeError(`${kind} has a definition`);
  return definition;
};

const work = async (operationId: OperationId, kind: Kind) => {
  const { cp } = fleet.test;
  const worker = makeWorker(cp.database, definitionOf(kind), cp);
  try {
    return await workToEnd(cp.database, worker, operationId);
  } finally {
    worker.die();
  }
};
const perform = async (operationId: OperationId, kind: Kind): Promise<void> =>
  expect(await work(operationId, kind)).toEqual({ state: 'succeeded', error: null });

interface World {
  readonly database: Database;
  readonly project: Project;
  readonly vmId: VmId;
  readonly fromHostId: string;
}

const vmOf = (vmId: VmId) => getVm(fleet.test.cp, fleet.test.admin, vmId);
const ask = async (vmId: VmId, request: 'start' | 'stop' | 'delete'): Promise<void> => {
  const { operation } = await requestVm(fleet.test.cp, fleet.test.admin, vmId, request, { graceMs: 0 });
  await perform(operation.id, `vm.${request}`);
};

const DISK = {
  id: null,
  cache: 'auto',
  discard: true,
  serial: null,
  slot: null,
  sizeBytes: 64 * MIB,
  poolId: null,
} as const;
const DATA_DISK = { ...DISK, throttle: { iops: null, bytesPerSecond: null } };

/** A VM with a data disk that has run, and stands still now. */
async function aStoppedVm(changes: Partial<Parameters<typeof vmRequest>[1]> = {}): Promise<World> {
  const project = await aProject(fleet.test);
  const plain = vmRequest(fleet, { projectId: project.id as ProjectId, ...changes });
  const devices: VmHardware['devices'] = { ...plain.hardware.devices, dataDisks: [DATA_DISK] };
  const request = { ...plain, hardware: { ...plain.hardware, devices } };
  const { operation, resourceId } = await createVm(fleet.test.cp, fleet.test.admin, request);
  const vmId = resourceId as VmId;
  await perform(operation.id, 'vm.create');
  await ask(vmId, 'stop');
  const { hostId } = await vmOf(vmId);
  return { database: fleet.test.cp.database, project, vmId, fromHostId: String(hostId) };
}

const requestMove = async ({ vmId }: Pick<World, 'vmId'>): Promise<OperationId> =>
  (await moveVm(fleet.test.cp, fleet.test.admin, vmId, {})).operation.id;

const hostOf = (hostId: string): SimulatedHost => {
  const found = fleet.hosts.find((host) => host.hostId === hostId);
  if (found === undefined) throw new TypeError(`host ${hostId} is of the fleet`);
  return found;
};
const otherOf = (hostId: string): SimulatedHost =>
  hostOf(fleet.hosts.find((host) => host.hostId !== hostId)?.hostId ?? '');
const disksOn = ({ machine }: SimulatedHost, vmId: VmId): number =>
  [...machine.disks.keys()].filter((path) => path.includes(vmId)).length;
const processesOf = (vmId: VmId) =>
  fleet.hosts.flatMap(({ hostId, machine }) =>
    [...machine.processes.values()]
      .filter(({ launch }) => launch.vmId === vmId)
      .map(({ launch }) => ({ hostId, launch })),
  );
const reservationsOf = (vmId: VmId) =>
  fleet.test.sql('SELECT host_id, purpose FROM reservations WHERE vm_id = $1 ORDER BY purpose', [vmId]);

/** It is on one host and no other, with all it had, holds room there alone, and starts there. */
async function expectOn({ vmId, project }: World, hostId: string): Promise<void> {
  expect(await vmOf(vmId)).toMatchObject({ state: 'stopped', hostId });
  expect(await reservationsOf(vmId)).toEqual([{ host_id: hostId, purpose: 'run' }]);
  expect(await fleet.test.sql('SELECT DISTINCT host_id FROM volumes WHERE vm_id = $1', [vmId])).toEqual([
    { host_id: hostId },
  ]);
  expect(disksOn(hostOf(hostId), vmId)).toBe(2);
  expect(disksOn(otherOf(hostId), vmId)).toBe(0);
  const { used } = await getProject(fleet.test.cp, fleet.test.admin, project.id as ProjectId);
  expect(used).toMatchObject({ vmCount: 1, vcpuCount: 1 });
  expect(await reconcileLeakedReservations(fleet.test.cp)).toBe(0);
  const former = [...hostOf(hostId).machine.launches, ...otherOf(hostId).machine.launches].find(
    ({ vmId: launched }) => launched === vmId,
  );
  await ask(vmId, 'start');
  const [process, ...others] = processesOf(vmId);
  expect(others).toEqual([]);
  expect(process).toMatchObject({
    hostId,
    launch: { epoch: 2, machineType: former?.machineType, firmware: { generationId: former?.firmware.generationId } },
  });
  // What its new host reports counts at once, whatever the former one has reported.
  await vi.waitFor(
    async () =>
      expect(await fleet.test.sql('SELECT observed_power FROM vms WHERE id = $1', [vmId])).toEqual([
        { observed_power: 'running' },
      ]),
    REPORT_WAIT,
  );
}

proveOperation<World, WorkerServices>({
  definition: definitionOf('vm.move'),
  services: () => fleet.test.cp,
  arrange: () => aStoppedVm(),
  request: requestMove,
  expectDone: (world) => expectOn(world, otherOf(world.fromHostId).hostId),
  expectCleanSlate: (world) => expectOn(world, world.fromHostId),
  close: async ({ vmId }) => {
    for (const { machine } of fleet.hosts)
      for (const process of machine.processes.values()) if (process.launch.vmId === vmId) process.crash();
  },
});

describe('a move', () => {
  it('is planned without a trace, and then goes where the plan said', async () => {
    const world = await aStoppedVm();
    const plan = await planVmMove(fleet.test.cp, fleet.test.admin, world.vmId, {});
    expect(plan).toMatchObject({
      fromHostId: world.fromHostId,
      toHostId: otherOf(world.fromHostId).hostId,
      steps: ['ensure-images', 'offer', 'copy', 'hand-over'],
      lastStep: 'hand-over',
    });
    expect(await reservationsOf(world.vmId)).toHaveLength(1);
    await perform(await requestMove(world), 'vm.move');
    await expectOn(world, plan.toHostId);
    const { items } = await listPlacements(fleet.test.cp, fleet.test.admin, { vmId: world.vmId, limit: 1 });
    expect(items[0]).toMatchObject({ outcome: 'placed', hostId: plan.toHostId });
  });

  it('there and back finds the VM as it was', async () => {
    const world = await aStoppedVm();
    await perform(await requestMove(world), 'vm.move');
    await perform(await requestMove(world), 'vm.move');
    await expectOn(world, world.fromHostId);
  });

  it('of a VM that runs is refused with what to do', async () => {
    const world = await aStoppedVm();
    await ask(world.vmId, 'start');
    await expect(requestMove(world)).rejects.toMatchObject({
      code: 'conflict_state',
      message: expect.stringMatching(/running: stop it first.*live migration is not here yet/),
    });
  });

  it('to where the VM is, or where it cannot be, is refused and changes nothing', async () => {
    const world = await aStoppedVm();
    const move = (hostId: string) => moveVm(fleet.test.cp, fleet.test.admin, world.vmId, { hostId: hostId as never });
    await expect(move(world.fromHostId)).rejects.toMatchObject({ code: 'conflict_state' });
    const other = otherOf(world.fromHostId).hostId;
    await fleet.test.sql(`UPDATE hosts SET state = 'cordoned' WHERE id = $1`, [other]);
    try {
      await expect(move(other)).rejects.toMatchObject({
        code: 'no_capacity',
        message: expect.stringMatching(/cordoned/),
      });
      await expect(requestMove(world)).rejects.toMatchObject({ code: 'no_capacity' });
    } finally {
      await fleet.test.sql(`UPDATE hosts SET state = 'active' WHERE id = $1`, [other]);
    }
    await expectOn(world, world.fromHostId);
  });

  it('is begun once, however many ask for it at the same moment', async () => {
    const world = await aStoppedVm();
    const ends = await Promise.allSettled([1, 2, 3, 4].map(() => requestMove(world)));
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const end of ends) if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'conflict_state' });
    expect(await reservationsOf(world.vmId)).toHaveLength(2);
    const [{ operation_id: id } = { operation_id: '' }] = await fleet.test.sql<{ operation_id: string }>(
      'SELECT operation_id FROM vms WHERE id = $1',
      [world.vmId],
    );
    await perform(id as OperationId, 'vm.move');
    await expectOn(world, otherOf(world.fromHostId).hostId);
  });

  it('keeps VMs of a group apart also while it goes on', async () => {
    const { test } = fleet;
    const project = await aProject(test);
    const rule = { kind: 'anti-affinity', level: 'host', strength: 'hard' } as const;
    const group = await createVmGroup(test.cp, test.admin, {
      ...{ name: aName('apart'), projectId: project.id as ProjectId, description: '', rules: [rule] },
    });
    const changes = { projectId: project.id as ProjectId, vmGroupId: group.id };
    const first = await aStoppedVm(changes);
    // It alone is no reason against another host.
    const moving = await requestMove(first);
    const hostId = otherOf(first.fromHostId).hostId as never;
    await expect(
      createVm(test.cp, test.admin, vmRequest(fleet, { ...changes, hostId, start: false })),
    ).rejects.toMatchObject({ code: 'unavailable' });
    await perform(moving, 'vm.move');
    const second = await createVm(test.cp, test.admin, vmRequest(fleet, { ...changes, start: false }));
    await perform(second.operation.id, 'vm.create');
    await expect(requestMove(first)).rejects.toMatchObject({ code: 'no_capacity' });
  });

  it('goes on when either agent is started anew in the middle of it', async () => {
    for (const whose of ['source', 'target'] as const) {
      const world = await aStoppedVm();
      const operationId = await requestMove(world);
      const definition = definitionOf('vm.move');
      const copyIndex = 2;
      const point = { at: 'beforeStep', index: copyIndex } as const;
      expect(await workUntilDeath(world.database, definition, fleet.test.cp, operationId, point)).toBe('died');
      const host = whose === 'source' ? hostOf(world.fromHostId) : otherOf(world.fromHostId);
      await host.restart();
      await perform(operationId, 'vm.move');
      await expectOn(world, otherOf(world.fromHostId).hostId);
    }
  });

  it('ends with the VM where it was when what comes is not the disk that is expected', async () => {
    const world = await aStoppedVm();
    const { machine } = hostOf(world.fromHostId);
    const [path = ''] = [...machine.disks.keys()].filter((disk) => disk.includes(world.vmId));
    const good = await readFile(path, 'utf8');
    await writeFile(path, JSON.stringify({ path, sizeBytes: 64 * MIB, imagePath: '/etc/shadow' }));
    expect(await work(await requestMove(world), 'vm.move')).toMatchObject({
      state: 'failed',
      error: { code: 'image_invalid' },
    });
    await writeFile(path, good);
    await expectOn(world, world.fromHostId);
  });

  it('can be cancelled, and to a host of their choice only admins send VMs', async () => {
    const world = await aStoppedVm();
    const { cp, admin } = fleet.test;
    const operationId = await requestMove(world);
    await fleet.test.sql('UPDATE operations SET cancel_requested_at = now() WHERE id = $1', [operationId]);
    expect(await work(operationId, 'vm.move')).toMatchObject({ state: 'cancelled' });
    expect(await vmOf(world.vmId)).toMatchObject({ state: 'stopped', hostId: world.fromHostId });
    await expect(
      moveVm(cp, { ...admin, role: 'operator' }, world.vmId, { hostId: world.fromHostId as never }),
    ).rejects.toMatchObject({ code: 'forbidden' });
  });
});
