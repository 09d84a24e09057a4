import { setTimeout as sleep } from 'node:timers/promises';
import type { HostId, OperationId, ProjectId, VmId } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Database } from '../../src/database/database.js';
import { cordonHost } from '../../src/host/hosts.js';
import type { AnyDefinition } from '../../src/operations/operation-run.js';
import { drainHost, rebalanceFleet } from '../../src/placement/execute-plan.js';
import { reconcileLeakedReservations } from '../../src/reconcilers/leaked-reservations.reconciler.js';
import { createVm } from '../../src/vm/create-vm.js';
import { operationDefinitions, type WorkerServices } from '../../src/vm/operation-definitions.js';
import { requestVm } from '../../src/vm/request-vm.js';
import { getVm } from '../../src/vm/vms.js';
import { makeWorker, proveOperation, workToEnd } from '../operation-harness.js';
import { aProject, vmRequest } from '../world/fleet-builder.js';
import { openSimulatedFleet, REPORT_WAIT, type SimulatedFleet } from '../world/simulated-fleet.js';

/** Plans that are carried out on real agents; a worker of its own looks after the moves. */
let fleet: SimulatedFleet;
let mover: { stop(): Promise<void> };
beforeAll(async () => {
  fleet = await openSimulatedFleet({ hostCount: 2, vmsPerHost: 500 });
  mover = startMover();
});
afterAll(async () => {
  await mover?.stop();
  await fleet.close();
});

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

function startMover() {
  const { cp, sql } = fleet.test;
  const worker = makeWorker(cp.database, definitionOf('vm.move'), cp);
  let isStopped = false;
  const looking = (async () => {
    while (!isStopped) {
      const due = await sql<{ id: string }>(
        `SELECT id FROM operations WHERE kind = 'vm.move' AND state IN ('queued', 'running', 'unwinding') ORDER BY id`,
      );
      for (const { id } of due) await worker.runner.work(id);
      await sleep(50);
    }
  })();
  return {
    stop: async () => {
      isStopped = true;
      await looking;
      worker.die();
    },
  };
}

interface World {
  readonly database: Database;
  readonly hostId: HostId;
  readonly vmIds: readonly VmId[];
}
const hostOfVm = async (vmId: VmId) => (await getVm(fleet.test.cp, fleet.test.admin, vmId)).hostId;

/** A cordoned host with that many stopped VMs and no others, beside one that takes them. */
async function aCordonedHost(vmCount: number): Promise<World> {
  const { cp, admin, sql } = fleet.test;
  const [hostId, other] = fleet.hosts.map((host) => host.hostId as HostId) as [HostId, HostId];
  await sql(`UPDATE hosts SET state = 'active', cordon_reason = NULL`);
  // One that a test left is that test's failure, and not the next one's.
  await sql(`UPDATE operations SET state = 'failed'
              WHERE kind IN ('host.drain', 'fleet.rebalance') AND state NOT IN ('succeeded', 'failed', 'cancelled')`);
  const project = await aProject(fleet.test);
  const vmIds: VmId[] = [];
  for (let count = 0; count < vmCount; count += 1) {
    const request = vmRequest(fleet, { projectId: project.id as ProjectId, hostId, start: false });
    const { operation, resourceId } = await createVm(cp, admin, request);
    expect(await work(operation.id, 'vm.create')).toMatchObject({ state: 'succeeded' });
    vmIds.push(resourceId as VmId);
  }
  expect(other).not.toBe(hostId);
  await cordonHost(cp, admin, hostId, 'to be emptied');
  return { database: cp.database, hostId, vmIds };
}

/** So that the next one finds the host empty. */
async function removeAll({ vmIds }: World): Promise<void> {
  for (const vmId of vmIds) {
    // A move that was under way when its plan ended goes on.
    await vi.waitFor(
      async () => expect((await getVm(fleet.test.cp, fleet.test.admin, vmId)).state).not.toBe('moving'),
      REPORT_WAIT,
    );
    const { operation } = await requestVm(fleet.test.cp, fleet.test.admin, vmId, 'delete');
    await work(operation.id, 'vm.delete');
  }
}
const drain = async ({ hostId }: World): Promise<OperationId> =>
  (await drainHost(fleet.test.cp, fleet.test.admin, hostId, { moveCountMax: 20 })).operation.id;

proveOperation<World, WorkerServices>({
  definition: definitionOf('host.drain'),
  services: () => fleet.test.cp,
  arrange: () => aCordonedHost(2),
  request: drain,
  expectDone: async ({ hostId, vmIds }) => {
    for (const vmId of vmIds) expect(await hostOfVm(vmId)).not.toBe(hostId);
    expect(await fleet.test.sql('SELECT 1 FROM reservations WHERE host_id = $1', [hostId])).toEqual([]);
    expect(await reconcileLeakedReservations(fleet.test.cp)).toBe(0);
  },
  // What was moved stays moved, and what was not, where it was.
  expectCleanSlate: async ({ vmIds }) => {
    for (const vmId of vmIds)
      expect(await getVm(fleet.test.cp, fleet.test.admin, vmId)).toMatchObject({ state: 'stopped', failure: null });
    expect(await reconcileLeakedReservations(fleet.test.cp)).toBe(0);
  },
  close: removeAll,
});

describe('a plan that is carried out', () => {
  it('is refused while a VM runs that would have to move, by its name, and moves none', async () => {
    const world = await aCordonedHost(2);
    const [vmId = '' as VmId] = world.vmIds;
    const { operation } = await requestVm(fleet.test.cp, fleet.test.admin, vmId, 'start');
    await work(operation.id, 'vm.start');
    const { name } = await getVm(fleet.test.cp, fleet.test.admin, vmId);
    await expect(drain(world)).rejects.toMatchObject({
      code: 'conflict_state',
      message: expect.stringContaining(name),
      details: { blockers: [{ vmId, vmName: name, reason: 'it runs' }] },
    });
    for (const id of world.vmIds) expect(await hostOfVm(id)).toBe(world.hostId);
    await removeAll(world);
  });

  it('needs a host that takes no VMs meanwhile, and is the only one', async () => {
    const world = await aCordonedHost(1);
    await fleet.test.sql(`UPDATE hosts SET state = 'active' WHERE id = $1`, [world.hostId]);
    await expect(drain(world)).rejects.toMatchObject({
      code: 'conflict_state',
      message: expect.stringContaining('cordon'),
    });
    await fleet.test.sql(`UPDATE hosts SET state = 'cordoned' WHERE id = $1`, [world.hostId]);
    const first = await drain(world);
    await expect(drain(world)).rejects.toMatchObject({ code: 'conflict_state', details: { operationId: first } });
    expect(await work(first, 'host.drain')).toMatchObject({ state: 'succeeded' });
    await removeAll(world);
  });

  it('stops at the first VM that cannot be moved, and says what was done', async () => {
    const world = await aCordonedHost(2);
    const operationId = await drain(world);
    const [{ input } = { input: { steps: [] } }] = await fleet.test.sql<{
      input: { steps: { vmId: VmId; vmName: string }[][] };
    }>('SELECT input FROM operations WHERE id = $1', [operationId]);
    const order = input.steps.flat();
    const last = order.at(-1);
    const { operation } = await requestVm(fleet.test.cp, fleet.test.admin, last?.vmId ?? ('' as VmId), 'start');
    await work(operation.id, 'vm.start');
    const end = await work(operationId, 'host.drain');
    expect(end).toMatchObject({ state: 'failed', error: { code: 'conflict_state' } });
    expect(end.error?.message).toContain(`${last?.vmName} is not moved: the VM is running: stop it first`);
    expect(await hostOfVm(last?.vmId ?? ('' as VmId))).toBe(world.hostId);
    await removeAll(world);
  });

  it('that makes the fleet even may have nothing to do, and is done then', async () => {
    const { cp, admin } = fleet.test;
    const request = { goal: 'even', moveCountMax: 5, toleranceShare: 1 } as const;
    const { operation } = await rebalanceFleet(cp, admin, request);
    expect(await work(operation.id, 'fleet.rebalance')).toEqual({ state: 'succeeded', error: null });
  });
});
