import { type CreateVmRequest, DomainError, GIB, type OperationId, VmMemory } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AnyDefinition } from '../../src/operations/operation-run.js';
import { getPlacement } from '../../src/placement/placements.js';
import { replayPlacement } from '../../src/placement/replay-placement.js';
import { createVm } from '../../src/vm/create-vm.js';
import { operationDefinitions, type WorkerServices } from '../../src/vm/operation-definitions.js';
import { requestVm } from '../../src/vm/request-vm.js';
import { makeWorker, workToEnd } from '../operation-harness.js';
import { aFlavor, vmRequest } from '../world/fleet-builder.js';
import { openSimulatedFleet, REPORT_WAIT, type SimulatedFleet } from '../world/simulated-fleet.js';

/** One host of two NUMA nodes with 8 CPUs each, of which its agent keeps the first for itself: 7 and 8 are for VMs. */
let fleet: SimulatedFleet;
beforeAll(async () => {
  const cpus = (first: number): number[] => Array.from({ length: 8 }, (_, at) => first + at);
  const node = { memoryBytes: 32 * GIB, hugePages: { 2048: 0, 1048576: 0 } };
  fleet = await openSimulatedFleet({
    hostCount: 1,
    vmsPerHost: 200,
    facts: {
      numaNodes: [
        { id: 0, cpus: cpus(0), ...node },
        { id: 1, cpus: cpus(8), ...node },
      ],
    },
  });
});
afterAll(() => fleet.close());

async function requestFor(vcpuCount: number, memory: object = {}): Promise<CreateVmRequest> {
  const flavor = await aFlavor(fleet.test, { vcpuCount });
  const plain = vmRequest(fleet, { flavorId: flavor.id });
  const cpuPolicy = { policy: 'dedicated' as const, smt: 'prefer' as const };
  return { ...plain, hardware: { ...plain.hardware, cpuPolicy, memory: VmMemory.parse(memory) } };
}
const create = async (vcpuCount: number, memory: object = {}) =>
  createVm(fleet.test.cp, fleet.test.admin, await requestFor(vcpuCount, memory));
const refusalOf = async (vcpuCount: number, memory: object = {}): Promise<DomainError> => {
  const error = await create(vcpuCount, memory).catch((thrown: unknown) => thrown);
  if (!(error instanceof DomainError)) throw new TypeError(`it was to be refused: ${JSON.stringify(error)}`);
  return error;
};

async function perform(operationId: OperationId, kind: 'vm.create' | 'vm.delete'): Promise<void> {
  const { database } = fleet.test.cp;
  const worker = makeWorker(database, operationDefinitions.get(kind) as AnyDefinition<WorkerServices>, fleet.test.cp);
  expect(await workToEnd(database, worker, operationId)).toEqual({ state: 'succeeded', error: null });
  worker.die();
}

/** CPUs that no VM has, by node, as the agent last told. */
async function freeCpus(): Promise<number[]> {
  const [row] = await fleet.test.sql<{ nodes: { dedicatedCpuCount: number }[] | null }>(
    'SELECT numa_nodes AS nodes FROM hosts',
  );
  return (row?.nodes ?? []).map(({ dedicatedCpuCount }) => dedicatedCpuCount);
}

/** Five CPUs are free in sum; four on one node are not. */
const UNEVEN = {
  numaNodeCount: 2,
  numaNodes: [
    { vcpuCount: 1, memoryBytes: 128 * 1024 ** 2 },
    { vcpuCount: 4, memoryBytes: 128 * 1024 ** 2 },
  ],
};

describe('placement by the room of each NUMA node', () => {
  const made: Awaited<ReturnType<typeof create>>[] = [];

  it('knows from the first report what each node has', async () => {
    await vi.waitFor(async () => expect(await freeCpus()).toEqual([7, 8]), REPORT_WAIT);
  });

  it('counts VMs that have their room and do not run yet', async () => {
    made.push(await create(5), await create(5));
    const refusal = await refusalOf(5, UNEVEN);
    expect(refusal.code).toBe('no_capacity');
    expect(refusal.details['placement']).toMatchObject({ rejections: [{ filter: 'numa', rejected: 1 }] });
    expect(await freeCpus()).toEqual([7, 8]);
  });

  it('counts them the same once they run, and says what each node has', async () => {
    for (const { operation } of made) await perform(operation.id, 'vm.create');
    await vi.waitFor(async () => expect(await freeCpus()).toEqual([2, 3]), REPORT_WAIT);
    await vi.waitFor(
      async () =>
        expect(await fleet.test.sql('SELECT count(*)::int AS running FROM vms WHERE runs_on IS NOT NULL')).toEqual([
          { running: 2 },
        ]),
      REPORT_WAIT,
    );
    const refusal = await refusalOf(5, UNEVEN);
    const id = String(refusal.details['placementId']) as never;
    const { decision } = await getPlacement(fleet.test.cp, fleet.test.admin, id);
    expect(decision.verdicts[0]?.objections).toEqual([
      expect.objectContaining({
        filter: 'numa',
        reason: expect.stringMatching(
          /^no node of the host has room for 1 node of 1 CPUs and 128 MiB and 1 node of 4 CPUs and 128 MiB; free are 2 CPUs, .* on node 0; 3 CPUs, .* on node 1$/,
        ),
      }),
    ]);
    expect(await replayPlacement(fleet.test.cp, fleet.test.admin, id)).toMatchObject({ isSame: true });
  });

  it('takes what fits, also what lies on several nodes, and the agent starts it', async () => {
    const split = await create(4, { numaNodeCount: 2 });
    await perform(split.operation.id, 'vm.create');
    await vi.waitFor(async () => expect(await freeCpus()).toEqual([0, 1]), REPORT_WAIT);
    made.push(split);
  });

  it('has the room again when a VM has gone', async () => {
    const [first] = made;
    if (first === undefined) throw new TypeError('a VM was made');
    const { operation } = await requestVm(fleet.test.cp, fleet.test.admin, first.resourceId as never, 'delete', {});
    await perform(operation.id, 'vm.delete');
    await vi.waitFor(
      async () => expect((await freeCpus()).reduce((sum, count) => sum + count, 0)).toBe(6),
      REPORT_WAIT,
    );
    expect((await create(5, UNEVEN)).operation.state).toBe('queued');
  });
});
