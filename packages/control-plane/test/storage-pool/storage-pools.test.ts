import { GIB, newId, type StoragePoolId } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { takePoolRoom } from '../../src/storage-pool/storage-pool.store.js';
import { getStoragePool, listStoragePools } from '../../src/storage-pool/storage-pools.js';
import { updateStoragePool } from '../../src/storage-pool/update-storage-pool.js';
import { aHost, aProject } from '../world/fleet-builder.js';
import { aPoolReport, reportPools } from '../world/memory-pools.js';
import { openTestControlPlane, type TestControlPlane } from '../world/test-control-plane.js';

let test: TestControlPlane;
beforeAll(async () => {
  test = await openTestControlPlane();
});
afterAll(() => test.close());

const idOf = ({ poolId }: { poolId: string | null }): StoragePoolId => poolId as StoragePoolId;
const poolIdsOfHost = async (hostId: string): Promise<string[]> => {
  const [row] = await test.sql<{ ids: string[] }>('SELECT storage_pool_ids AS ids FROM hosts WHERE id = $1', [hostId]);
  return row?.ids ?? [];
};

describe('a storage pool', () => {
  it('is known from the first report on, with its room and what it can do', async () => {
    const hostId = await aHost(test);
    const report = aPoolReport({ totalBytes: 10 * GIB });
    await reportPools(test, hostId, [report]);
    expect(await getStoragePool(test.cp, test.admin, idOf(report))).toMatchObject({
      name: report.name,
      driver: 'dir',
      overcommitRatio: 2,
      trashKeepDays: 7,
      totalBytes: 10 * GIB,
      freeBytes: 5 * GIB,
      reservedBytes: 0,
      reservableBytes: 20 * GIB,
      volumeCount: 0,
      capabilities: { isShared: false, hasSnapshots: true },
      hosts: [{ id: hostId, isConnected: true, fault: null }],
    });
    expect(await poolIdsOfHost(hostId)).toEqual([report.poolId]);
  });

  it('that is shared is one, with the hosts that reach it, and the least of what they say', async () => {
    const [one, other] = [await aHost(test), await aHost(test)];
    const report = aPoolReport({ driver: 'shared-dir', totalBytes: 10 * GIB });
    await reportPools(test, one, [report]);
    await reportPools(test, other, [aPoolReport({ driver: 'shared-dir', totalBytes: 8 * GIB }, idOf(report))]);
    const pool = await getStoragePool(test.cp, test.admin, idOf(report));
    expect(pool.hosts.map(({ id }) => id).sort()).toEqual([one, other].sort());
    expect(pool).toMatchObject({ totalBytes: 8 * GIB, capabilities: { isShared: true } });
  });

  it.each(['dir', 'lvm-thin'] as const)('%s that another host told of first is not taken over', async (driver) => {
    const [one, other] = [await aHost(test), await aHost(test)];
    const report = aPoolReport({ driver });
    await reportPools(test, one, [report]);
    const stolen = aPoolReport({ driver, totalBytes: 9000 * GIB }, idOf(report));
    expect(await reportPools(test, other, [stolen])).toEqual([stolen.name]);
    const pool = await getStoragePool(test.cp, test.admin, idOf(report));
    expect(pool).toMatchObject({ name: report.name, totalBytes: 100 * GIB });
    expect(pool.hosts.map(({ id }) => id)).toEqual([one]);
    expect(await poolIdsOfHost(other)).toEqual([]);
  });

  it('that cannot be opened any more says why, and holds no room for anybody', async () => {
    const hostId = await aHost(test);
    const report = aPoolReport();
    await reportPools(test, hostId, [report]);
    await reportPools(test, hostId, [aPoolReport({ fault: 'its file system mounted?' }, idOf(report), report.name)]);
    const pool = await getStoragePool(test.cp, test.admin, idOf(report));
    expect(pool).toMatchObject({
      totalBytes: null,
      reservableBytes: 0,
      hosts: [{ fault: 'its file system mounted?' }],
    });
    expect(await poolIdsOfHost(hostId)).toEqual([]);
    expect(await takePoolRoom(test.cp.database, idOf(report), 1)).toBe(false);
  });

  it('that its host was started without is of no host', async () => {
    const hostId = await aHost(test);
    const report = aPoolReport();
    await reportPools(test, hostId, [report]);
    await reportPools(test, hostId, []);
    expect((await getStoragePool(test.cp, test.admin, idOf(report))).hosts).toEqual([]);
    expect(await poolIdsOfHost(hostId)).toEqual([]);
  });

  it('promises no more than its ratio allows, also to those who ask at once', async () => {
    const hostId = await aHost(test);
    const report = aPoolReport({ totalBytes: 10 * GIB });
    await reportPools(test, hostId, [report]);
    const asked = Array.from({ length: 8 }, () => takePoolRoom(test.cp.database, idOf(report), 3 * GIB));
    const taken = (await Promise.all(asked)).filter((isTaken) => isTaken);
    expect(taken).toHaveLength(6);
    expect((await getStoragePool(test.cp, test.admin, idOf(report))).reservedBytes).toBe(18 * GIB);
  });

  it('has a ratio and a time for its trash that admins of the site change', async () => {
    const hostId = await aHost(test);
    const report = aPoolReport({ totalBytes: 10 * GIB });
    await reportPools(test, hostId, [report]);
    const change = { overcommitRatio: 1.25, trashKeepDays: 30, description: 'NVMe' };
    const changed = await updateStoragePool(test.cp, test.admin, idOf(report), change, { ifMatch: 1 });
    expect(changed).toMatchObject({ ...change, reservableBytes: 12.5 * GIB, generation: 2 });
    await expect(updateStoragePool(test.cp, test.admin, idOf(report), change, { ifMatch: 1 })).rejects.toMatchObject({
      code: 'precondition_failed',
    });
    const ofProject = await test.actor('admin', (await aProject(test)).id);
    await expect(updateStoragePool(test.cp, ofProject, idOf(report), change)).rejects.toMatchObject({
      code: 'forbidden',
    });
    const page = await listStoragePools(test.cp, ofProject, { limit: 500, name: report.name });
    expect(page.items).toMatchObject([{ id: report.poolId, hosts: [] }]);
  });

  it('that is none is not found', async () => {
    await expect(getStoragePool(test.cp, test.admin, newId<StoragePoolId>())).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});
