import { randomUUID } from 'node:crypto';
import { type CreateVmRequest, GIB, type VmId } from '@kvorum/schema';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aHost, aProject, type Ingredients, ingredients, vmRequest } from '../../test/world/fleet-builder.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import { withTransaction } from '../database/database.js';
import { cancelOperation } from '../operations/cancel-operation.js';
import { getOperation } from '../operations/get-operation.js';
import { startLeaseKeeper } from '../operations/lease-keeper.js';
import { OperationRunner } from '../operations/operation-runner.js';
import { repairHostCounters, repairProjectCounters } from '../reconcilers/leaked-reservations.store.js';
import { createVm } from './create-vm.js';
import { listWaitingVms } from './list-waiting-vms.js';
import { operationDefinitions } from './operation-definitions.js';
import { placeWaitingVms } from './place-waiting-vms.js';
import { requestVm } from './request-vm.js';
import { getVm } from './vms.js';

let test: TestControlPlane;
let from: Ingredients;
beforeEach(async () => {
  test = await openTestControlPlane();
  from = await ingredients(test);
});
afterEach(async () => {
  // Whatever happened, what is counted is what there is.
  expect(await withTransaction(test.cp.database, repairHostCounters)).toEqual([]);
  expect(await withTransaction(test.cp.database, repairProjectCounters)).toEqual([]);
  await test.close();
});

const HOUR_MS = 3_600_000;
const waiting = (changes: Partial<CreateVmRequest> = {}, priority = 0) =>
  createVm(test.cp, test.admin, vmRequest(from, { waitForCapacity: { deadlineMs: HOUR_MS, priority }, ...changes }));
const vmOf = ({ resourceId }: { resourceId: string }) => getVm(test.cp, test.admin, resourceId as VmId);
const operationOf = ({ operation }: { operation: { id: string } }) => getOperation(test.cp, test.admin, operation.id);
const queue = async () => (await listWaitingVms(test.cp, test.admin, {})).items.map(({ vmId }) => vmId);
const letTimePass = () => test.sql(`UPDATE waiting_vms SET until = now() - interval '1 second'`);
/** A worker that takes up the operation, as far as it goes without agents. */
async function work(operationId: string): Promise<string> {
  const { database, log } = test.cp;
  const keeper = startLeaseKeeper({ database, log, leaseMs: 30_000 });
  const bell = { ring: async () => {} };
  const common = { database, bell, log, definitions: operationDefinitions, services: test.cp, keeper };
  const outcome = await new OperationRunner({ ...common, leaseMs: 30_000, workerName: randomUUID() }).work(operationId);
  await keeper.close();
  return outcome;
}

describe('a VM that may wait for room', () => {
  it('is placed at once where there is room, and otherwise accepted with its place and its reason', async () => {
    await aHost(test, { vmCount: 1 });
    const first = await waiting();
    const second = await waiting();
    expect(await vmOf(first)).toMatchObject({ waiting: null, hostId: expect.any(String) });
    expect(await vmOf(second)).toMatchObject({
      state: 'creating',
      hostId: null,
      waiting: { position: 1, priority: 0, reason: expect.stringContaining('capacity-vcpus 1') },
    });
    const operation = await operationOf(second);
    expect(operation).toMatchObject({ state: 'queued', isCancellable: true });
    expect(operation.progress?.phase).toContain('waits for capacity: ');
    expect(await work(operation.id)).toBe('refused');
  });

  it('waits for room for all its disks, and has its cards from the beginning', async () => {
    const plain = vmRequest(from).hardware;
    const dataDisks = [2, 3].map((count) => ({
      ...{
        id: null,
        sizeBytes: count * GIB,
        poolId: null,
        serial: null,
        slot: null,
        discard: true,
        cache: 'auto' as const,
      },
      throttle: { iops: null, bytesPerSecond: null },
    }));
    const nics = [{ id: null, macAddress: null, slot: null, backend: { kind: 'isolated' as const } }];
    const hardware = { ...plain, devices: { ...plain.devices, dataDisks, nics } };
    const asked = await waiting({ hardware });
    expect(await test.sql('SELECT count(*)::int AS cards FROM nic_addresses')).toEqual([{ cards: 1 }]);
    // Room for five VMs of the flavor has 5 GiB of disk; this one needs 6.
    await aHost(test, { vmCount: 5 });
    expect(await placeWaitingVms(test.cp)).toBe(0);
    expect((await vmOf(asked)).waiting?.reason).toContain('capacity-disk');
    const hostId = await aHost(test, { vmCount: 6 });
    expect(await placeWaitingVms(test.cp)).toBe(1);
    expect(await vmOf(asked)).toMatchObject({ hostId });
    expect(await test.sql('SELECT disk_bytes::float8 AS bytes FROM reservations')).toEqual([{ bytes: 6 * GIB }]);
    expect(await test.sql('SELECT DISTINCT host_id AS "hostId" FROM volumes')).toEqual([{ hostId }]);
  });

  it('is placed as soon as there is room, those of higher priority first and then in the order of coming', async () => {
    const [low, high, next] = [await waiting(), await waiting({}, 9), await waiting({}, 9)];
    expect(await queue()).toEqual([high, next, low].map(({ resourceId }) => resourceId));
    expect(await placeWaitingVms(test.cp)).toBe(0);
    const hostId = await aHost(test, { vmCount: 2 });
    expect(await placeWaitingVms(test.cp)).toBe(2);
    expect(await queue()).toEqual([low.resourceId]);
    expect(await vmOf(high)).toMatchObject({ hostId, accelerator: 'tcg', waiting: null, state: 'creating' });
    expect(test.rung).toContain(high.operation.id);
    const [row] = await test.sql<{ input: unknown }>(
      `SELECT input FROM operations WHERE id = $1 AND not_before <= clock_timestamp() AND deadline_at > now()`,
      [high.operation.id],
    );
    expect(row?.input).toMatchObject({ hostId, accelerator: 'tcg' });
  });

  it('lets a smaller one that comes later pass when that one fits', async () => {
    await aHost(test, { vmCount: 2 });
    await createVm(test.cp, test.admin, vmRequest(from));
    await test.sql(`UPDATE hosts SET state = 'cordoned'`);
    const large = await waiting({ rootDiskBytes: 2 * GIB });
    const small = await waiting();
    await test.sql(`UPDATE hosts SET state = 'active'`);
    expect(await placeWaitingVms(test.cp)).toBe(1);
    expect(await queue()).toEqual([large.resourceId]);
    expect((await vmOf(small)).hostId).not.toBeNull();
  });

  it('is placed once, however many processes look after the queue', async () => {
    const all = [await waiting(), await waiting(), await waiting()];
    await aHost(test, { vmCount: 10 });
    const processes = [test.cp, test.anotherProcess(), test.anotherProcess()];
    const counts = await Promise.all(processes.map((cp) => placeWaitingVms(cp)));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(all.length);
    expect(await test.sql('SELECT reserved_vcpu_count AS vcpus FROM hosts')).toEqual([{ vcpus: 3 }]);
  });

  it('fails at its deadline with the reason, and can then be deleted', async () => {
    const accepted = await waiting();
    await letTimePass();
    await placeWaitingVms(test.cp);
    expect(await work(accepted.operation.id)).toBe('ended');
    const failed = { code: 'no_capacity', message: expect.stringContaining('no room until the deadline') };
    expect(await operationOf(accepted)).toMatchObject({ state: 'failed', error: failed });
    expect(await vmOf(accepted)).toMatchObject({ state: 'failed', failure: failed, waiting: null });
    expect(await queue()).toEqual([]);
    const deletion = await requestVm(test.cp, test.admin, accepted.resourceId as VmId, 'delete');
    expect(await work(deletion.operation.id)).toBe('ended');
    await expect(vmOf(accepted)).rejects.toMatchObject({ code: 'not_found' });
    expect(await test.sql('SELECT sum(used_vm_count)::int AS used FROM projects')).toEqual([{ used: 0 }]);
  });

  it('can be cancelled, and is then not placed any more', async () => {
    const accepted = await waiting();
    await cancelOperation(test.cp, test.admin, accepted.operation.id);
    await aHost(test);
    expect(await placeWaitingVms(test.cp)).toBe(0);
    expect(await work(accepted.operation.id)).toBe('ended');
    expect(await operationOf(accepted)).toMatchObject({ state: 'cancelled' });
    expect(await queue()).toEqual([]);
  });

  it('counts as one VM of its project, and waits on while the quota is used up', async () => {
    const { id: projectId } = await aProject(test, { vmCount: 2, vcpuCount: 1 });
    const first = await waiting({ projectId });
    await waiting({ projectId });
    await expect(waiting({ projectId })).rejects.toMatchObject({ code: 'quota_exceeded' });
    await aHost(test);
    expect(await placeWaitingVms(test.cp)).toBe(1);
    expect(await queue()).not.toContain(first.resourceId);
    const [left] = (await listWaitingVms(test.cp, test.admin, { projectId })).items;
    expect(left).toMatchObject({ position: 1, reason: expect.stringContaining('quota') });
  });

  it('is refused at once where no change of load would help, and a high priority to those who are no admins', async () => {
    await aHost(test, { vmCount: 1 });
    await expect(waiting({ rootDiskBytes: 2 ** 50 })).rejects.toMatchObject({ code: 'no_capacity' });
    const operator = await test.actor('operator');
    const request = vmRequest(from, { waitForCapacity: { deadlineMs: HOUR_MS, priority: 51 } });
    await expect(createVm(test.cp, operator, request)).rejects.toMatchObject({
      code: 'forbidden',
      details: { fields: [{ field: 'body.waitForCapacity.priority' }] },
    });
    expect(await queue()).toEqual([]);
  });
});
