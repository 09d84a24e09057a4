import { dedicatedCpuCount, GIB, MIB, VmHardware, type VmId } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aFlavor, aHost, type Ingredients, ingredients, vmRequest } from '../../test/world/fleet-builder.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import { withTransaction } from '../database/database.js';
import { repairHostCounters } from '../reconcilers/leaked-reservations.store.js';
import { createVm } from '../vm/create-vm.js';
import { release } from './reservation.store.js';

let test: TestControlPlane;
let from: Ingredients;
beforeAll(async () => {
  test = await openTestControlPlane();
  from = { ...(await ingredients(test)), flavor: await aFlavor(test, { vcpuCount: 3, memoryBytes: GIB }) };
});
afterAll(() => test.close());

const hostWith = async (threadsPerCore: number, dedicatedCpuCount: number): Promise<string> => {
  // No other host may take the VM of a test.
  await test.sql(`UPDATE hosts SET state = 'cordoned'`);
  const hostId = await aHost(test, { vmCount: 1000 });
  await test.sql(
    `UPDATE hosts SET threads_per_core = $2, capacity_dedicated_cpu_count = $3, capacity_huge_pages_2mib_bytes = $4
      WHERE id = $1`,
    [hostId, threadsPerCore, dedicatedCpuCount, 2 * GIB],
  );
  return hostId;
};
const create = (hardware: object) =>
  createVm(test.cp, test.admin, vmRequest(from, { hardware: VmHardware.parse(hardware) }));
const reservedOf = async (hostId: string) => {
  const [row] = await test.sql<Record<string, string>>(
    `SELECT reserved_vcpu_count, reserved_dedicated_cpu_count, reserved_huge_pages_2mib_bytes, reserved_memory_bytes
       FROM hosts WHERE id = $1`,
    [hostId],
  );
  return Object.values(row ?? {}).map(Number);
};

describe('what a VM has for itself is reserved', () => {
  it.each([
    ['prefer', 1],
    ['prefer', 2],
    ['isolate', 1],
    ['isolate', 2],
    ['require', 2],
  ] as const)('with SMT policy %s and %d threads per core, as the rule of the contract says', async (smt, threads) => {
    const hostId = await hostWith(threads, 8);
    const hardware = VmHardware.parse({ cpuPolicy: { policy: 'dedicated', smt } });
    const accepted = await create(hardware);
    const cpus = dedicatedCpuCount({ vcpuCount: 3, hardware }, threads);
    expect((await reservedOf(hostId)).slice(0, 3)).toEqual([cpus * 4, cpus, 0]);
    expect(await withTransaction(test.cp.database, repairHostCounters)).toEqual([]);
    await withTransaction(test.cp.database, (tx) => release(tx, accepted.resourceId as VmId));
    expect(await reservedOf(hostId)).toEqual([0, 0, 0, 0]);
  });

  it('and refused with numbers when there are too few', async () => {
    const hostId = await hostWith(1, 2);
    await expect(create({ cpuPolicy: { policy: 'dedicated' } })).rejects.toMatchObject({
      code: 'no_capacity',
      message: expect.stringMatching(/dedicated CPUs \(largest free 2 on .*needed 3\)/),
    });
    expect(await reservedOf(hostId)).toEqual([0, 0, 0, 0]);
  });

  it('and refused on a host without SMT that it requires', async () => {
    await hostWith(1, 8);
    await expect(create({ cpuPolicy: { policy: 'dedicated', smt: 'require' } })).rejects.toMatchObject({
      code: 'no_capacity',
      message: expect.stringContaining('without SMT'),
    });
  });

  it('in huge pages, ordinary memory only for the hypervisor', async () => {
    const hostId = await hostWith(1, 0);
    await create({ memory: { hugePageBytes: 2 * MIB } });
    const [vcpus, own, hugeBytes, ordinaryBytes] = await reservedOf(hostId);
    expect([vcpus, own, hugeBytes]).toEqual([3, 0, GIB]);
    expect(ordinaryBytes).toBeLessThan(256 * MIB);
  });

  it('for one of two that race for the last CPUs', async () => {
    const hostId = await hostWith(1, 3);
    const ends = await Promise.allSettled([1, 2, 3].map(() => create({ cpuPolicy: { policy: 'dedicated' } })));
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await reservedOf(hostId))[1]).toBe(3);
  });
});

it.each<[string, object, string]>([
  ['more NUMA nodes than vCPUs', { memory: { numaNodeCount: 4 } }, 'body.hardware.memory.numaNodeCount'],
  [
    'a split that is not the VM',
    { memory: { numaNodeCount: 1, numaNodes: [{ vcpuCount: 1, memoryBytes: GIB }] } },
    'body.hardware.memory.numaNodes',
  ],
])('refuses %s, names the field, and reserves nothing', async (_what, hardware, field) => {
  const hostId = await hostWith(1, 8);
  await expect(create(hardware)).rejects.toMatchObject({
    code: 'invalid_request',
    details: { fields: [expect.objectContaining({ field })] },
  });
  expect(await reservedOf(hostId)).toEqual([0, 0, 0, 0]);
});
