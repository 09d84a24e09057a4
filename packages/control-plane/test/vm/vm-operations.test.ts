import type { OperationId, Project, ProjectId, VmId, VmState } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Database } from '../../src/database/database.js';
import type { AnyDefinition } from '../../src/operations/operation-run.js';
import { getProject } from '../../src/project/projects.js';
import { reconcileLeakedReservations } from '../../src/reconcilers/leaked-reservations.reconciler.js';
import { reconcileLostHosts } from '../../src/reconcilers/lost-hosts.reconciler.js';
import { createVm } from '../../src/vm/create-vm.js';
import { operationDefinitions, type WorkerServices } from '../../src/vm/operation-definitions.js';
import { readVmConsole } from '../../src/vm/read-vm-console.js';
import { type PowerRequest, requestVm } from '../../src/vm/request-vm.js';
import { makeWorker, proveOperation, workToEnd } from '../operation-harness.js';
import { aProject, vmRequest } from '../world/fleet-builder.js';
import { openSimulatedFleet, REPORT_WAIT, type SimulatedFleet } from '../world/simulated-fleet.js';

/**
 * Every operation on VMs, proved against real agents over gRPC and mTLS, with a real gateway that takes their reports; only
 * the hypervisor under the agents is simulated.
 */
let fleet: SimulatedFleet;
beforeAll(async () => {
  fleet = await openSimulatedFleet({ hostCount: 2, vmsPerHost: 500 });
});
afterAll(() => fleet.close());

interface World {
  readonly database: Database;
  readonly project: Project;
  vmId: VmId;
}

const definitionOf = (kind: Parameters<typeof operationDefinitions.get>[0]): AnyDefinition<WorkerServices> => {
  const definition = operationDefinitions.get(kind);
  if (definition === undefined) throw new TypeError(`${kind} has a definition`);
  return definition;
};

const perform = async (operationId: OperationId, kind: Parameters<typeof definitionOf>[0]): Promise<void> => {
  const { database } = fleet.test.cp;
  const worker = makeWorker(database, definitionOf(kind), fleet.test.cp);
  try {
    expect(await workToEnd(database, worker, operationId)).toEqual({ state: 'succeeded', error: null });
  } finally {
    worker.die();
  }
};

const ask = async (vmId: VmId, request: PowerRequest, graceMs?: number): Promise<OperationId> =>
  (await requestVm(fleet.test.cp, fleet.test.admin, vmId, request, { graceMs })).operation.id;

async function aWorld(): Promise<World> {
  return { database: fleet.test.cp.database, project: await aProject(fleet.test), vmId: '' as VmId };
}

async function requestCreate(world: World, start = true): Promise<OperationId> {
  const request = vmRequest(fleet, { projectId: world.project.id as ProjectId, start });
  const { operation, resourceId } = await createVm(fleet.test.cp, fleet.test.admin, request);
  world.vmId = resourceId as VmId;
  return operation.id;
}

/** A world with a VM that was brought to a state by its own operations. */
async function aWorldWith(state: 'running' | 'stopped' | 'paused'): Promise<World> {
  const world = await aWorld();
  await perform(await requestCreate(world, state !== 'stopped'), 'vm.create');
  if (state === 'paused') await perform(await ask(world.vmId, 'pause'), 'vm.pause');
  return world;
}

interface VmRow {
  readonly state: VmState;
  readonly epoch: number;
  readonly generation: number;
  readonly failure: { code: string } | null;
}
const rowOf = async (vmId: VmId): Promise<VmRow> => {
  const [row] = await fleet.test.sql<VmRow>(
    'SELECT state, epoch::int, generation::int, failure FROM vms WHERE id = $1',
    [vmId],
  );
  if (row === undefined) throw new TypeError('the VM has a row');
  return row;
};

/** What the machines say, whatever the database believes. */
async function truthOf(vmId: VmId) {
  const machines = fleet.hosts.map((host) => host.machine);
  const processes = machines.flatMap((machine) =>
    [...machine.processes.values()].filter((one) => one.launch.vmId === vmId),
  );
  const [volume] = await fleet.test.sql<{ id: string }>('SELECT id FROM volumes WHERE vm_id = $1', [vmId]);
  const disks = machines.flatMap((machine) =>
    [...machine.disks.keys()].filter((path) => path.includes(volume?.id ?? '?')),
  );
  return {
    processes,
    powers: processes.map((process) => process.power),
    diskCount: disks.length,
    state: processes[0]?.power ?? ('stopped' as const),
  };
}

const holds = async (vmId: VmId) =>
  (
    await fleet.test.sql<{ reservations: number; volumes: number }>(
      `SELECT (SELECT count(*)::int FROM reservations WHERE vm_id = $1) AS reservations,
              (SELECT count(*)::int FROM volumes WHERE vm_id = $1 AND deleted_at IS NULL) AS volumes`,
      [vmId],
    )
  )[0];

const expectCountersRight = async (): Promise<void> => expect(await reconcileLeakedReservations(fleet.test.cp)).toBe(0);

/** The VM and its host agree, and it still holds what it had. */
async function expectInState({ vmId }: World, state: VmState, epoch: number): Promise<void> {
  const truth = await truthOf(vmId);
  expect(truth.powers).toEqual(state === 'stopped' ? [] : [state]);
  if (truth.processes.length > 0) expect(truth.processes[0]?.launch.epoch).toBe(epoch);
  expect(await rowOf(vmId)).toMatchObject({ state, epoch, failure: null });
  expect(await holds(vmId)).toEqual({ reservations: 1, volumes: 1 });
  await expectCountersRight();
}

/** After an intent whose outcome nobody knows, the host's next report decides. */
async function expectStateOfHost({ vmId }: World): Promise<void> {
  await vi.waitFor(async () => {
    const truth = await truthOf(vmId);
    expect(truth.processes.length).toBeLessThanOrEqual(1);
    expect((await rowOf(vmId)).state).toBe(truth.state);
  }, REPORT_WAIT);
  expect(await holds(vmId)).toEqual({ reservations: 1, volumes: 1 });
  await expectCountersRight();
}

const common = {
  services: (): WorkerServices => fleet.test.cp,
  close: async (world: World): Promise<void> => {
    // Later tests count processes of their own VMs alone; this one's guest is ended so that none pile up.
    for (const process of (await truthOf(world.vmId)).processes) process.crash();
  },
};

proveOperation<World, WorkerServices>({
  ...common,
  definition: definitionOf('vm.create'),
  arrange: aWorld,
  request: (world) => requestCreate(world),
  expectDone: async (world) => {
    await expectInState(world, 'running', 1);
    expect((await truthOf(world.vmId)).diskCount).toBe(1);
  },
  expectCleanSlate: async ({ vmId, project }) => {
    expect(await truthOf(vmId)).toMatchObject({ processes: [], diskCount: 0 });
    expect(await rowOf(vmId)).toMatchObject({ state: 'failed', failure: { code: expect.any(String) } });
    expect(await holds(vmId)).toEqual({ reservations: 0, volumes: 0 });
    const { used } = await getProject(fleet.test.cp, fleet.test.admin, project.id as ProjectId);
    expect(used).toEqual({ vmCount: 1, vcpuCount: 0, memoryBytes: 0, diskBytes: 0 });
    await expectCountersRight();
  },
});

proveOperation<World, WorkerServices>({
  ...common,
  definition: definitionOf('vm.start'),
  arrange: () => aWorldWith('stopped'),
  request: ({ vmId }) => ask(vmId, 'start'),
  expectDone: (world) => expectInState(world, 'running', 1),
  expectCleanSlate: async (world) => {
    expect(await truthOf(world.vmId)).toMatchObject({ processes: [], diskCount: 1 });
    expect((await rowOf(world.vmId)).state).toBe('stopped');
    expect(await holds(world.vmId)).toEqual({ reservations: 1, volumes: 1 });
    await expectCountersRight();
    // Nothing stands in the way of the next start.
    await perform(await ask(world.vmId, 'start'), 'vm.start');
    await expectInState(world, 'running', 2);
  },
});

/** Operations that change nothing but the power of a VM that has its room. */
const POWER: readonly [request: PowerRequest, from: 'running' | 'paused', to: VmState, epoch: number][] = [
  ['stop', 'running', 'stopped', 1],
  ['reboot', 'running', 'running', 2],
  ['reset', 'running', 'running', 1],
  ['pause', 'running', 'paused', 1],
  ['resume', 'paused', 'running', 1],
];
for (const [request, from, to, epoch] of POWER) {
  proveOperation<World, WorkerServices>({
    ...common,
    definition: definitionOf(`vm.${request}` as 'vm.stop'),
    arrange: () => aWorldWith(from),
    request: ({ vmId }) => ask(vmId, request),
    expectDone: async (world) => {
      await expectInState(world, to, epoch);
      const resets = (await truthOf(world.vmId)).processes.map((process) => process.resetCount);
      if (request === 'reset') expect(resets).toEqual([1]);
    },
    expectCleanSlate: expectStateOfHost,
  });
}

proveOperation<World, WorkerServices>({
  ...common,
  definition: definitionOf('vm.delete'),
  arrange: () => aWorldWith('running'),
  request: ({ vmId }) => ask(vmId, 'delete'),
  expectDone: async ({ vmId, project }) => {
    expect(await truthOf(vmId)).toMatchObject({ processes: [], diskCount: 0 });
    expect((await rowOf(vmId)).state).toBe('deleted');
    expect(await holds(vmId)).toEqual({ reservations: 0, volumes: 0 });
    const { used } = await getProject(fleet.test.cp, fleet.test.admin, project.id as ProjectId);
    expect(used).toEqual({ vmCount: 0, vcpuCount: 0, memoryBytes: 0, diskBytes: 0 });
    await expectCountersRight();
  },
  expectCleanSlate: expectStateOfHost,
});

describe('operations on a VM', () => {
  it('end a guest hard that ignores the power button', async () => {
    const world = await aWorldWith('running');
    const [process] = (await truthOf(world.vmId)).processes;
    if (process !== undefined) process.obeysPowerButton = false;
    await perform(await ask(world.vmId, 'stop', 200), 'vm.stop');
    await expectInState(world, 'stopped', 1);
  });

  it('delete a VM whose creation was undone without asking its host', async () => {
    const world = await aWorld();
    const operationId = await requestCreate(world);
    await fleet.test.sql('UPDATE operations SET cancel_requested_at = now() WHERE id = $1', [operationId]);
    const worker = makeWorker(world.database, definitionOf('vm.create'), fleet.test.cp);
    await workToEnd(world.database, worker, operationId);
    worker.die();
    const unasked = {
      ...fleet.test.cp,
      agents: { agentOf: () => expect.unreachable('the host was asked') as never, close: async () => undefined },
    };
    const deleter = makeWorker(world.database, definitionOf('vm.delete'), unasked);
    const end = await workToEnd(world.database, deleter, await ask(world.vmId, 'delete'));
    deleter.die();
    expect(end).toEqual({ state: 'succeeded', error: null });
    expect((await rowOf(world.vmId)).state).toBe('deleted');
    await expectCountersRight();
  });

  it('follow a guest that shuts itself down, crashes, or is paused by its host', async () => {
    const world = await aWorldWith('running');
    const state = async () => (await rowOf(world.vmId)).state;
    const guest = async () => (await truthOf(world.vmId)).processes[0];
    (await guest())?.changePowerUnasked('paused');
    await vi.waitFor(async () => expect(await state()).toBe('paused'), REPORT_WAIT);
    (await guest())?.changePowerUnasked('running');
    await vi.waitFor(async () => expect(await state()).toBe('running'), REPORT_WAIT);
    (await guest())?.powerOff();
    await vi.waitFor(async () => expect(await state()).toBe('stopped'), REPORT_WAIT);
    await perform(await ask(world.vmId, 'start'), 'vm.start');
    (await guest())?.crash('ended by SIGSEGV');
    await vi.waitFor(async () => expect(await state()).toBe('failed'), REPORT_WAIT);
    expect((await rowOf(world.vmId)).failure).toMatchObject({
      code: 'guest_fault',
      message: expect.stringContaining('SIGSEGV'),
    });
    await perform(await ask(world.vmId, 'start'), 'vm.start');
    await expectInState(world, 'running', 3);
  });

  it('let the console be read, as plain text', async () => {
    const world = await aWorldWith('running');
    (await truthOf(world.vmId)).processes[0]?.print('\x1b[31mred\x1b[0m\0 löwe');
    const whole = await readVmConsole(fleet.test.cp, fleet.test.admin, world.vmId, null);
    expect(whole.text).toMatch(/^GUEST UP .*\nred löwe\n$/);
    expect(whole).toMatchObject({ offset: 0, nextOffset: whole.sizeBytes });
    const rest = await readVmConsole(fleet.test.cp, fleet.test.admin, world.vmId, whole.sizeBytes - 'öwe\n'.length - 1);
    expect(rest.text).toBe('öwe\n');
  });
});

describe('a host that does not answer', () => {
  it('keeps what a create holds there until it answers again, and then loses nothing', async () => {
    const lonely = await openSimulatedFleet({ hostCount: 1, vmsPerHost: 5 });
    const { test, hosts } = lonely;
    const database = test.cp.database;
    // It falls silent with the disk already made.
    const observer = {
      beforeStep: async (_: unknown, step: { name: string }) =>
        step.name === 'ensure-vm' ? hosts[0]?.silence() : undefined,
    };
    const worker = makeWorker(database, definitionOf('vm.create'), test.cp, { observer });
    const repairer = makeWorker(database, definitionOf('vm.create'), test.cp);
    try {
      const { operation, resourceId } = await createVm(test.cp, test.admin, vmRequest(lonely));
      const operationRow = async () =>
        (
          await test.sql<{ state: string; error: { code: string } }>(
            'SELECT state, error FROM operations WHERE id = $1',
            [operation.id],
          )
        )[0];
      await worker.runner.work(operation.id);
      expect((await operationRow())?.state).toBe('running');
      // Its time is up, and to undo the host would be needed as well.
      await test.sql(`UPDATE operations SET deadline_at = now(), unwind_deadline_ms = 300 WHERE id = $1`, [
        operation.id,
      ]);
      await workToEnd(database, worker, operation.id);
      expect(await operationRow()).toMatchObject({ state: 'stuck' });
      const held = await test.sql(
        `SELECT v.state, (SELECT count(*)::int FROM reservations r WHERE r.vm_id = v.id) AS reservations FROM vms v WHERE v.id = $1`,
        [resourceId],
      );
      expect(held).toEqual([{ state: 'creating', reservations: 1 }]);
      await hosts[0]?.restart();
      await test.sql(
        `UPDATE operations SET state = 'unwinding', unwind_deadline_at = now() + interval '1 minute', not_before = now(), lease_expires_at = NULL WHERE id = $1`,
        [operation.id],
      );
      expect(await workToEnd(database, repairer, operation.id)).toMatchObject({ state: 'failed' });
      expect(hosts[0]?.machine.disks.size).toBe(0);
      expect(await reconcileLeakedReservations(test.cp)).toBe(0);
      expect(await test.sql('SELECT count(*)::int AS n FROM reservations')).toEqual([{ n: 0 }]);
    } finally {
      worker.die();
      repairer.die();
      await lonely.close();
    }
  });

  it('makes its VMs unknown, starts them nowhere else, and brings them back by its next report', async () => {
    const lonely = await openSimulatedFleet({ hostCount: 1, vmsPerHost: 5 });
    const { test, hosts } = lonely;
    const worker = makeWorker(test.cp.database, definitionOf('vm.create'), test.cp);
    try {
      const { operation, resourceId } = await createVm(test.cp, test.admin, vmRequest(lonely));
      await workToEnd(test.cp.database, worker, operation.id);
      const state = async () =>
        (await test.sql<{ state: string }>('SELECT state FROM vms WHERE id = $1', [resourceId]))[0]?.state;
      await hosts[0]?.silence();
      await test.sql(`UPDATE hosts SET last_report_at = now() - interval '1 minute'`);
      await reconcileLostHosts(test.cp);
      expect(await state()).toBe('unknown');
      await hosts[0]?.restart();
      await vi.waitFor(async () => expect(await state()).toBe('running'), REPORT_WAIT);
      expect(hosts[0]?.machine.launches).toHaveLength(1);
    } finally {
      worker.die();
      await lonely.close();
    }
  });
});
