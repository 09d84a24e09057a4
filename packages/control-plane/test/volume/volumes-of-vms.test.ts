import {
  type CreateVmRequest,
  DomainError,
  GIB,
  PLAIN_HARDWARE,
  type Project,
  type ProjectId,
  type StoragePoolId,
  type VmId,
  type VolumeId,
  type VolumeSnapshotId,
} from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ControlPlane } from '../../src/control-plane.js';
import { getProject } from '../../src/project/projects.js';
import { reconcileLeakedReservations } from '../../src/reconcilers/leaked-reservations.reconciler.js';
import { reconcileTrash } from '../../src/reconcilers/volume-trash.reconciler.js';
import { createVm } from '../../src/vm/create-vm.js';
import { operationDefinitions } from '../../src/vm/operation-definitions.js';
import { requestVm } from '../../src/vm/request-vm.js';
import { attachVolume, detachVolume } from '../../src/volume/attach-volume.js';
import { createVolume } from '../../src/volume/create-volume.js';
import { deleteVolume } from '../../src/volume/delete-volume.js';
import { growVolume } from '../../src/volume/grow-volume.js';
import { purgeVolume } from '../../src/volume/purge-volume.js';
import { findVolumesOfVm } from '../../src/volume/volume.store.js';
import { getVolume } from '../../src/volume/volumes.js';
import { createVolumeSnapshots } from '../../src/volume-snapshot/create-volume-snapshots.js';
import { revertToSnapshot } from '../../src/volume-snapshot/revert-to-snapshot.js';
import { makeWorker, workToEnd } from '../operation-harness.js';
import { aHost, aName, aProject, aVm, type Ingredients, ingredients, vmRequest } from '../world/fleet-builder.js';
import { aPoolReport, MemoryPools, reportPools } from '../world/memory-pools.js';
import { openTestControlPlane, type TestControlPlane } from '../world/test-control-plane.js';

let test: TestControlPlane;
let pools: MemoryPools;
let cp: ControlPlane;
let from: Ingredients;
let hostId: string;
let poolId: StoragePoolId;
beforeAll(async () => {
  test = await openTestControlPlane();
  pools = new MemoryPools();
  cp = { ...test.cp, agents: pools };
  from = await ingredients(test);
  hostId = await aHost(test);
  const report = aPoolReport({ totalBytes: 10_000 * GIB });
  poolId = report.poolId as StoragePoolId;
  await reportPools(test, hostId, [report]);
});
afterAll(() => test.close());

type Accepted = Awaited<ReturnType<typeof createVolume>>;
async function perform(asked: Promise<Accepted>): Promise<string> {
  const { operation, resourceId } = await asked;
  const definition = operationDefinitions.get(operation.kind);
  if (definition === undefined) throw new TypeError(`${operation.kind} has a definition`);
  const worker = makeWorker(cp.database, definition, cp);
  const end = await workToEnd(cp.database, worker, operation.id);
  worker.die();
  expect(end).toEqual({ state: 'succeeded', error: null });
  return resourceId;
}

const aVolume = async (projectId?: ProjectId): Promise<VolumeId> =>
  (await perform(
    createVolume(cp, test.admin, {
      name: aName('volume'),
      poolId,
      sizeBytes: GIB,
      ...(projectId === undefined ? {} : { projectId }),
    }),
  )) as VolumeId;
const snapshotsOf = (setId: string) =>
  test.sql<{ id: VolumeSnapshotId; volume_id: VolumeId; was_frozen: boolean }>(
    'SELECT id, volume_id, was_frozen FROM volume_snapshots WHERE set_id = $1 AND deleted_at IS NULL ORDER BY volume_id',
    [setId],
  );
/** As if a VM had them, and its operations had ended well. */
const give = async (vmId: VmId, ...volumeIds: VolumeId[]): Promise<void> => {
  await test.sql(`UPDATE volumes SET vm_id = $1, role = 'data' WHERE id = ANY ($2)`, [vmId, volumeIds]);
};
const stateOf = async (vmId: VmId): Promise<string | undefined> =>
  (await test.sql<{ state: string }>('SELECT state FROM vms WHERE id = $1', [vmId]))[0]?.state;
const onPool = (changes: Partial<CreateVmRequest> = {}, devices: object = {}): CreateVmRequest => {
  const { rootDisk } = PLAIN_HARDWARE.devices;
  const pooled = { ...PLAIN_HARDWARE.devices, rootDisk: { ...rootDisk, poolId }, ...devices };
  return vmRequest(from, { hardware: { ...PLAIN_HARDWARE, devices: pooled }, ...changes });
};

describe('a volume that a VM has', () => {
  it('is in use by one VM: of two that ask at once, one gets it', async () => {
    const volumeId = await aVolume();
    const vms = [await aVm(test, from, 'stopped'), await aVm(test, from, 'stopped')];
    const asked = vms.map(({ vmId }) => attachVolume(cp, test.admin, volumeId, { vmId }));
    const ends = await Promise.allSettled(asked);
    expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const refused = ends.find((end) => end.status === 'rejected');
    expect(refused).toMatchObject({ reason: { code: 'in_use' } });
    const { vmId } = await getVolume(cp, test.admin, volumeId);
    const [taken, other] = vms[0]?.vmId === vmId ? [vms[0], vms[1]] : [vms[1], vms[0]];
    expect(taken?.vmId).toBe(vmId);
    const again = attachVolume(cp, test.admin, volumeId, { vmId: other?.vmId as VmId });
    await expect(again).rejects.toMatchObject({ code: 'in_use', message: expect.stringContaining(String(vmId)) });
  });

  it('is not deleted, nor are those whose operations have not ended', async () => {
    const volumeId = await aVolume();
    const { vmId } = await aVm(test, from);
    await give(vmId, volumeId);
    await expect(deleteVolume(cp, test.admin, volumeId)).rejects.toMatchObject({ code: 'in_use' });
    const { resourceId } = await createVolume(cp, test.admin, { name: aName('volume'), poolId, sizeBytes: GIB });
    await expect(deleteVolume(cp, test.admin, resourceId as VolumeId)).rejects.toMatchObject({
      code: 'conflict_state',
      message: expect.stringContaining('is creating'),
    });
  });

  it('that no VM has cannot be detached', async () => {
    const volumeId = await aVolume();
    await expect(detachVolume(cp, test.admin, volumeId)).rejects.toMatchObject({ code: 'conflict_state' });
  });

  it('is not attached to a VM whose host does not reach its pool', async () => {
    const elsewhere = await aHost(test);
    const far = aPoolReport();
    await reportPools(test, elsewhere, [far]);
    const request = { name: aName('volume'), poolId: far.poolId as StoragePoolId, sizeBytes: GIB };
    const volumeId = (await perform(createVolume(cp, test.admin, request))) as VolumeId;
    const { vmId } = await aVm(test, from, 'stopped', { hostId: hostId as never });
    await expect(attachVolume(cp, test.admin, volumeId, { vmId })).rejects.toMatchObject({
      code: 'conflict_state',
      message: expect.stringContaining(far.name),
    });
    expect((await getVolume(cp, test.admin, volumeId)).vmId).toBeNull();
  });
});

describe('snapshots', () => {
  it('of all volumes of a running VM are of one instant; meanwhile nothing else happens to it', async () => {
    const { vmId } = await aVm(test, from);
    const ids = [await aVolume(), await aVolume()].sort();
    await give(vmId, ...ids);
    await test.sql(`UPDATE vms SET guest_agent = 'responding' WHERE id = $1`, [vmId]);
    const asked = createVolumeSnapshots(cp, test.admin, { name: 'now', vmId, freeze: 'auto' });
    await asked;
    expect(await stateOf(vmId)).toBe('updating');
    await expect(requestVm(cp, test.admin, vmId, 'stop')).rejects.toMatchObject({ code: 'conflict_state' });
    const setId = await perform(asked);
    expect(await stateOf(vmId)).toBe('running');
    const taken = await snapshotsOf(setId);
    expect(taken.map(({ volume_id }) => volume_id)).toEqual(ids);
    expect(taken.map(({ was_frozen }) => was_frozen)).toEqual([true, true]);
  });

  it('that a guest does not freeze for are taken all the same, unless that was required', async () => {
    const { vmId } = await aVm(test, from);
    await give(vmId, await aVolume());
    const take = (name: string, freeze: 'auto' | 'required') =>
      createVolumeSnapshots(cp, test.admin, { name, vmId, freeze });
    await expect(take('first', 'required')).rejects.toMatchObject({
      code: 'conflict_state',
      message: expect.stringContaining('guest agent does not answer'),
    });
    await test.sql(`UPDATE vms SET guest_agent = 'responding' WHERE id = $1`, [vmId]);
    pools.freezeFault = new DomainError('guest_agent_failed', 'it refused');
    try {
      const [taken] = await snapshotsOf(await perform(take('second', 'auto')));
      expect(taken?.was_frozen).toBe(false);
      const { operation } = await take('third', 'required');
      const definition = operationDefinitions.get('volume-snapshot.create');
      if (definition === undefined) throw new TypeError('it has a definition');
      const worker = makeWorker(cp.database, definition, cp);
      expect(await workToEnd(cp.database, worker, operation.id)).toMatchObject({ state: 'failed' });
      worker.die();
      expect(await stateOf(vmId)).toBe('running');
    } finally {
      pools.freezeFault = null;
    }
  });

  it('are not reverted to under a running VM', async () => {
    const volumeId = await aVolume();
    const request = { name: 'now', volumeIds: [volumeId], freeze: 'auto' as const };
    const [snapshot] = await snapshotsOf(await perform(createVolumeSnapshots(cp, test.admin, request)));
    const { vmId } = await aVm(test, from);
    await give(vmId, volumeId);
    const snapshotId = snapshot?.id as VolumeSnapshotId;
    await expect(revertToSnapshot(cp, test.admin, snapshotId)).rejects.toMatchObject({
      code: 'conflict_state',
      message: expect.stringContaining('stop it first'),
    });
    expect(await stateOf(vmId)).toBe('running');
    expect((await getVolume(cp, test.admin, volumeId)).state).toBe('available');
  });

  it('of volumes of different VMs are no one instant', async () => {
    const volumeIds = [await aVolume(), await aVolume()];
    const asked = createVolumeSnapshots(cp, test.admin, { name: 'now', volumeIds, freeze: 'auto' });
    await expect(asked).rejects.toMatchObject({ code: 'conflict_state' });
  });

  it('have linked clones, which keep what they rest on, and what that counts, after it is purged', async () => {
    const project = await aProject(test);
    const projectId = project.id as ProjectId;
    const volumeId = await aVolume(projectId);
    pools.get(volumeId).content = 'then';
    const request = { name: 'now', volumeIds: [volumeId], freeze: 'auto' as const };
    const [snapshot] = await snapshotsOf(await perform(createVolumeSnapshots(cp, test.admin, request)));
    const snapshotId = snapshot?.id as VolumeSnapshotId;
    const cloneRequest = {
      name: aName('clone'),
      projectId,
      from: { kind: 'snapshot', snapshotId, mode: 'linked' },
    } as const;
    const cloneId = (await perform(createVolume(cp, test.admin, cloneRequest))) as VolumeId;
    expect(pools.get(cloneId).content).toBe('then');
    await perform(deleteVolume(cp, test.admin, volumeId));
    await perform(purgeVolume(cp, test.admin, volumeId));
    expect(await getVolume(cp, test.admin, volumeId)).toMatchObject({ state: 'retained' });
    expect((await getProject(cp, test.admin, projectId)).used.diskBytes).toBe(3 * GIB);
    await perform(deleteVolume(cp, test.admin, cloneId));
    await perform(purgeVolume(cp, test.admin, cloneId));
    await reconcileTrash(cp);
    await expect(getVolume(cp, test.admin, volumeId)).rejects.toMatchObject({ code: 'not_found' });
    expect((await getProject(cp, test.admin, projectId)).used.diskBytes).toBe(0);
    expect(await reconcileLeakedReservations(cp)).toBe(0);
  });
});

describe('what a project may have', () => {
  let project: Project;
  beforeAll(async () => {
    project = await aProject(test, { diskBytes: 3 * GIB });
  });

  it('counts volumes, those in the trash, and snapshots with the size of their volumes', async () => {
    const projectId = project.id as ProjectId;
    const volumeId = await aVolume(projectId);
    const request = { name: 'now', volumeIds: [volumeId], freeze: 'auto' as const };
    await perform(createVolumeSnapshots(cp, test.admin, request));
    await perform(deleteVolume(cp, test.admin, volumeId));
    expect((await getProject(cp, test.admin, projectId)).used.diskBytes).toBe(2 * GIB);
    const second = await aVolume(projectId);
    await expect(growVolume(cp, test.admin, second, { sizeBytes: 2 * GIB })).rejects.toMatchObject({
      code: 'quota_exceeded',
    });
    await perform(purgeVolume(cp, test.admin, volumeId));
    await perform(growVolume(cp, test.admin, second, { sizeBytes: 3 * GIB }));
    expect(await reconcileLeakedReservations(cp)).toBe(0);
  });
});

describe('a VM with disks on a pool', () => {
  it('is placed where the pool is reached, and its disks are volumes that go with it', async () => {
    const logs = { id: null, poolId, sizeBytes: GIB, slot: null, serial: null };
    const [plain] = vmRequest(from).hardware.devices.dataDisks;
    expect(plain).toBeUndefined();
    const dataDisk = { ...logs, throttle: { iops: null, bytesPerSecond: null }, cache: 'auto', discard: true } as const;
    const { resourceId } = await createVm(cp, test.admin, onPool({}, { dataDisks: [dataDisk] }));
    const [vm] = await test.sql<{ host_id: string; name: string }>('SELECT host_id, name FROM vms WHERE id = $1', [
      resourceId,
    ]);
    expect(vm?.host_id).toBe(hostId);
    const volumes = await findVolumesOfVm(cp.database, resourceId);
    expect(volumes.map(({ role }) => role).sort()).toEqual(['data', 'root']);
    for (const volume of volumes) {
      expect(volume).toMatchObject({ state: 'creating', goesWithVm: true, poolId });
      expect(volume.name.startsWith(`${vm?.name}-`)).toBe(true);
    }
    const [held] = await test.sql<{ disk: string }>(
      'SELECT disk_bytes::text AS disk FROM reservations WHERE vm_id = $1',
      [resourceId],
    );
    expect(held?.disk).toBe('0');
    expect(await reconcileLeakedReservations(cp)).toBe(0);
  });

  it('is refused with the pool that no host reaches', async () => {
    const lost = aPoolReport();
    const empty = await aHost(test);
    await reportPools(test, empty, [lost]);
    await reportPools(test, empty, []);
    const { rootDisk } = PLAIN_HARDWARE.devices;
    const devices = { ...PLAIN_HARDWARE.devices, rootDisk: { ...rootDisk, poolId: lost.poolId as StoragePoolId } };
    const request = vmRequest(from, { hardware: { ...PLAIN_HARDWARE, devices } });
    await expect(createVm(cp, test.admin, request)).rejects.toMatchObject({
      code: 'no_capacity',
      message: expect.stringContaining('storage pool'),
    });
  });

  it('does not wait for room', async () => {
    const waitForCapacity = { deadlineMs: 60_000, priority: 0 };
    await expect(createVm(cp, test.admin, onPool({ waitForCapacity }))).rejects.toMatchObject({
      code: 'invalid_request',
      details: { fields: [{ field: 'body.waitForCapacity' }] },
    });
  });

  it('uses its volumes under a higher epoch at each start', async () => {
    const { vmId } = await aVm(test, from, 'stopped');
    const volumeId = await aVolume();
    await give(vmId, volumeId);
    const epochOf = async (): Promise<number> =>
      Number(
        (await test.sql<{ n: string }>('SELECT claim_epoch::text AS n FROM volumes WHERE id = $1', [volumeId]))[0]?.n,
      );
    const before = await epochOf();
    const { operation } = await requestVm(cp, test.admin, vmId, 'start');
    expect(await epochOf()).toBe(before + 1);
    const row = await cp.database.operation.findUniqueOrThrow({ where: { id: operation.id } });
    expect(row.input).toMatchObject({ pooledVolumes: [{ volumeId, poolId, claimEpoch: before + 1 }] });
  });
});
