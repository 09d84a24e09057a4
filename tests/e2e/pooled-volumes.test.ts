import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guestImage } from '../support/guest-images.js';
import { eventually } from './eventually.js';
import { MIB, operationEnd, type Site, startSite } from './site.js';

// Emulated guests on two shared cores: generous, and only a bound.
const BOOT_MS_MAX = 240_000;
const CHANGE_MS_MAX = 120_000;
const SEEN_MS_MAX = 90_000;
const SECTOR_BYTES = 512;
/** Small enough to be filled by a guest under emulation, large enough for the image and some snapshots. */
const POOL_MIB = 160;
const DATA_BYTES = 32 * MIB;

const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'kvorum-pooled-')));
chmodSync(scratch, 0o711);
const poolPath = join(scratch, 'pool');
mkdirSync(poolPath);
const isMounted =
  spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${POOL_MIB}m,mode=0711`, 'kvorum-test', poolPath]).status === 0;
if (!isMounted) console.log('skipped: a small file system cannot be mounted here');

interface SeenVm {
  readonly state: string;
  readonly guest: { readonly agent: string };
  readonly conditions: readonly { readonly kind: string }[];
  readonly hardware: { readonly devices: { readonly dataDisks: readonly { readonly id: string }[] } };
}
interface SeenVolume {
  readonly id: string;
  readonly state: string;
  readonly role: string | null;
  readonly vmId: string | null;
  readonly sizeBytes: number;
}

/** One guest on a pool; the tests work with it one after the other. */
describe.runIf(isMounted)('a Linux guest whose disks lie on a storage pool', () => {
  let site: Site;
  let poolId: string;
  let vmId: string;
  let dataId: string;

  beforeAll(async () => {
    const flags = ['--storage-pool', `fast=dir:${poolPath}`];
    site = await startSite({ hostNames: ['host-a'], places: [{ address: '127.0.0.1', through: [], flags }] });
    const pool = await eventually('the pool is known', SEEN_MS_MAX, async () => {
      const { body } = await site.rest.expect(200, 'GET', '/v1/storage-pools?name=fast');
      return (body['items'] as { id: string }[])[0];
    });
    poolId = pool.id;
    await site.rest.expect(200, 'PATCH', `/v1/storage-pools/${poolId}`, { overcommitRatio: 20 });
    const imageId = await site.uploadImage('tiny', (await guestImage('tiny')).path);
    const flavorId = await site.createFlavor('small', 192, 256);
    const devices = { rootDisk: { poolId }, dataDisks: [{ sizeBytes: DATA_BYTES, poolId, serial: 'data' }] };
    const created = await site.createVm({ name: 'pooled', imageId, flavorId, hardware: { devices } });
    vmId = created.vmId;
    expect(await operationEnd(site.rest, created.operationId, BOOT_MS_MAX)).toMatchObject({ state: 'succeeded' });
    await answering();
    dataId = String((await vm()).hardware.devices.dataDisks[0]?.id);
  });
  afterAll(async () => {
    await site?.close();
    spawnSync('umount', [poolPath]);
    rmSync(scratch, { recursive: true, force: true });
  });

  const vm = async () => (await site.rest.expect(200, 'GET', `/v1/vms/${vmId}`)).body as unknown as SeenVm;
  const volume = async (id: string) =>
    (await site.rest.expect(200, 'GET', `/v1/volumes/${id}`)).body as unknown as SeenVolume;
  const answering = () =>
    eventually('the guest agent answers', BOOT_MS_MAX, async () => (await vm()).guest.agent === 'responding');
  /** Asks, waits for the operation, and returns the id of what it was about. */
  const done = async (method: string, url: string, body?: object): Promise<string> => {
    const answer = await site.rest.expect(202, method, url, body);
    const { id } = answer.body['operation'] as { id: string };
    expect(await operationEnd(site.rest, id, CHANGE_MS_MAX)).toMatchObject({ state: 'succeeded', error: null });
    return String(answer.body['resourceId']);
  };
  const press = async (verb: 'start' | 'stop'): Promise<void> => {
    await done('POST', `/v1/vms/${vmId}/${verb}`, verb === 'stop' ? { graceMs: 0 } : undefined);
    if (verb === 'start') await answering();
  };
  const inGuest = async (script: string): Promise<string> => {
    const { body } = await site.rest.expect(200, 'POST', `/v1/vms/${vmId}/exec`, { command: ['sh', '-c', script] });
    return String(body['stdout']).trim();
  };
  const write = (letter: string) =>
    inGuest(`head -c 1048576 /dev/zero | tr '\\0' ${letter} | dd of=/dev/vdb bs=65536 2>&1 && sync`);
  const checksum = () => inGuest(`echo 3 >/proc/sys/vm/drop_caches; head -c 1048576 /dev/vdb | md5sum`);
  const snapshotOf = async (name: string): Promise<string> => {
    const { body } = await site.rest.expect(200, 'GET', `/v1/volume-snapshots?volumeId=${dataId}&name=${name}`);
    return String((body['items'] as { id: string }[])[0]?.id);
  };

  test('boots from the pool; its volumes go with it', async () => {
    const { body } = await site.rest.expect(200, 'GET', `/v1/volumes?vmId=${vmId}`);
    const roles = (body['items'] as SeenVolume[]).map(({ role, state }) => [role, state]);
    expect(roles.sort()).toEqual([
      ['data', 'available'],
      ['root', 'available'],
    ]);
  });

  test('has after a revert what its snapshot had, whatever it wrote since', async () => {
    await write('a');
    const before = await checksum();
    await done('POST', '/v1/volume-snapshots', { name: 'before', vmId });
    expect(await vm()).toMatchObject({ state: 'running' });
    await write('b');
    expect(await checksum()).not.toBe(before);
    const snapshotId = await snapshotOf('before');
    const refused = await site.rest.send('POST', `/v1/volume-snapshots/${snapshotId}/revert`);
    expect(refused).toMatchObject({ status: 409, body: { code: 'conflict_state' } });
    await press('stop');
    await done('POST', `/v1/volume-snapshots/${snapshotId}/revert`);
    await press('start');
    expect(await checksum()).toBe(before);
  });

  test('sees its disk grow while it runs', async () => {
    await done('PATCH', `/v1/volumes/${dataId}`, { sizeBytes: 2 * DATA_BYTES });
    await eventually('the larger disk', SEEN_MS_MAX, async () => {
      return Number(await inGuest('cat /sys/block/vdb/size')) === (2 * DATA_BYTES) / SECTOR_BYTES;
    });
    expect(await volume(dataId)).toMatchObject({ sizeBytes: 2 * DATA_BYTES });
  });

  test('gets a clone of a snapshot as a disk, and lets go of it; it is deleted and restored', async () => {
    const snapshotId = await snapshotOf('before');
    const from = { kind: 'snapshot', snapshotId, mode: 'linked' };
    const cloneId = await done('POST', '/v1/volumes', { name: 'copy', from });
    await done('POST', `/v1/volumes/${cloneId}/attach`, { vmId });
    expect(await volume(cloneId)).toMatchObject({ vmId, role: 'data' });
    const same = await eventually('the clone in the guest', SEEN_MS_MAX, async () => {
      const answer = await site.rest.send('POST', `/v1/vms/${vmId}/exec`, {
        command: ['sh', '-c', 'test -b /dev/vdc && head -c 1048576 /dev/vdc | md5sum'],
      });
      return answer.status === 200 && answer.body['exitCode'] === 0 ? String(answer.body['stdout']).trim() : undefined;
    });
    expect(same).toBe(await checksum());
    expect(await site.rest.send('DELETE', `/v1/volumes/${cloneId}`)).toMatchObject({
      status: 409,
      body: { code: 'in_use' },
    });
    await done('POST', `/v1/volumes/${cloneId}/detach`);
    await done('DELETE', `/v1/volumes/${cloneId}`);
    expect(await volume(cloneId)).toMatchObject({ state: 'trashed', vmId: null });
    await done('POST', `/v1/volumes/${cloneId}/restore`);
    expect(await volume(cloneId)).toMatchObject({ state: 'available' });
    await done('DELETE', `/v1/volumes/${cloneId}`);
    await done('POST', `/v1/volumes/${cloneId}/purge`);
    expect((await site.rest.send('GET', `/v1/volumes/${cloneId}`)).status).toBe(404);
  });

  test('stands still when the pool is full, and goes on when there is room, without an error', async () => {
    const ballast = join(poolPath, 'ballast');
    spawnSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=1M']);
    expect(existsSync(ballast)).toBe(true);
    const written = site.rest.send('POST', `/v1/vms/${vmId}/exec`, {
      command: [
        'sh',
        '-c',
        'dd if=/dev/urandom of=/dev/vdb bs=65536 seek=64 count=256 2>/dev/null && sync && echo whole',
      ],
      timeoutMs: 200_000,
    });
    await eventually('the VM stands still', SEEN_MS_MAX, async () => {
      const { state, conditions } = await vm();
      return state === 'paused' && conditions.some(({ kind }) => kind === 'disk-full');
    });
    const refused = await site.rest.send('POST', '/v1/volumes', { name: 'late', poolId, sizeBytes: MIB });
    expect(refused).toMatchObject({ status: 507, body: { code: 'no_capacity' } });
    writeFileSync(ballast, '');
    await eventually('it goes on', SEEN_MS_MAX, async () => {
      const { state } = await vm();
      if (state === 'paused') await site.rest.send('POST', `/v1/vms/${vmId}/resume`);
      return state === 'running';
    });
    expect((await written).body['stdout']).toContain('whole');
  });

  test('leaves its volumes in the trash when it is deleted', async () => {
    await done('DELETE', `/v1/vms/${vmId}`);
    const { body } = await site.rest.expect(200, 'GET', `/v1/volumes?poolId=${poolId}`);
    const left = (body['items'] as SeenVolume[]).map(({ state, vmId: owner }) => [state, owner]);
    expect(left).toEqual([
      ['trashed', null],
      ['trashed', null],
    ]);
  });
});
