import { chmodSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guestImage } from '../support/guest-images.js';
import { eventually } from './eventually.js';
import { operationEnd, type Site, startSite } from './site.js';

// Emulated guests on two shared cores: generous, and only a bound.
const BOOT_MS_MAX = 240_000;
const CHANGE_MS_MAX = 120_000;
/** In the last MiB of the disk, which no file system of the guest has. */
const MARK = 'seek=255 bs=1M count=1';
const CHECKSUM = 'dd if=/dev/vda bs=1M skip=255 count=1 2>/dev/null | md5sum';
const SEEN_MS_MAX = 90_000;

/** What both tests do with guests of their site. */
function guestsOf(site: Site, flavorId: string) {
  const boot = async (name: string, imageId: string, more: object = {}): Promise<string> => {
    const { vmId, operationId } = await site.createVm({ name, imageId, flavorId, ...more });
    expect(await operationEnd(site.rest, operationId, BOOT_MS_MAX)).toMatchObject({ state: 'succeeded' });
    await eventually(`the guest agent of ${name}`, BOOT_MS_MAX, async () => {
      const { guest } = (await site.rest.expect(200, 'GET', `/v1/vms/${vmId}`)).body as { guest?: { agent: string } };
      return guest?.agent === 'responding';
    });
    return vmId;
  };
  const inGuest = async (vmId: string, script: string): Promise<string> => {
    const { body } = await site.rest.expect(200, 'POST', `/v1/vms/${vmId}/exec`, { command: ['sh', '-c', script] });
    expect(body['exitCode'], String(body['stderr'])).toBe(0);
    return String(body['stdout']).trim();
  };
  const done = async (method: string, url: string, body?: object): Promise<string> => {
    const answer = await site.rest.expect(202, method, url, body);
    const { id } = answer.body['operation'] as { id: string };
    expect(await operationEnd(site.rest, id, CHANGE_MS_MAX)).toMatchObject({ state: 'succeeded', error: null });
    return String(answer.body['resourceId']);
  };
  return { boot, inGuest, done };
}

describe('a Linux guest that is published', () => {
  let site: Site;
  let flavorId: string;
  beforeAll(async () => {
    site = await startSite({ hostNames: ['host-a'] });
    flavorId = await site.createFlavor('small', 192, 256);
  });
  afterAll(() => site?.close());

  test('is an image, with what it wrote, that another VM boots from', async () => {
    const { boot, inGuest, done } = guestsOf(site, flavorId);
    const tiny = await site.uploadImage('tiny', (await guestImage('tiny')).path);
    const first = await boot('first', tiny);
    await inGuest(first, `dd if=/dev/urandom of=/dev/vda ${MARK} conv=notrunc,fsync 2>/dev/null`);
    const written = await inGuest(first, CHECKSUM);
    const running = await site.rest.send('POST', `/v1/vms/${first}/publish`, { name: 'golden' });
    expect(running).toMatchObject({ status: 409, body: { code: 'conflict_state' } });
    await done('POST', `/v1/vms/${first}/stop`, { graceMs: 0 });
    const plan = await site.rest.expect(200, 'POST', `/v1/vms/${first}/publish?dryRun=plan`, { name: 'golden' });
    expect(plan.body['warnings']).not.toEqual([]);
    const imageId = await done('POST', `/v1/vms/${first}/publish`, { name: 'golden', description: 'with a mark' });
    const { body: image } = await site.rest.expect(200, 'GET', `/v1/images/${imageId}`);
    expect(image).toMatchObject({ state: 'available', source: { vm: { id: first, name: 'first' } } });
    expect((await site.rest.expect(200, 'GET', `/v1/vms/${first}`)).body).toMatchObject({ state: 'stopped' });
    // Nothing of it is left on the host.
    expect(readdirSync(join(String(site.hosts[0]?.stateDir), 'publishing'))).toEqual([]);
    const second = await boot('second', imageId);
    expect(await inGuest(second, CHECKSUM)).toBe(written);
  });
});

describe('a Linux guest whose root disk lies on a storage pool', () => {
  const poolPath = realpathSync(mkdtempSync(join(tmpdir(), 'kvorum-published-')));
  chmodSync(poolPath, 0o711);
  let site: Site;
  afterAll(async () => {
    await site?.close();
    rmSync(poolPath, { recursive: true });
  });

  test('is published while it runs, also when its agent is killed meanwhile, and is another VM’s root', async () => {
    const flags = ['--storage-pool', `fast=dir:${poolPath}`];
    site = await startSite({ hostNames: ['host-a'], places: [{ address: '127.0.0.1', through: [], flags }] });
    const pool = await eventually('the pool is known', SEEN_MS_MAX, async () => {
      const { body } = await site.rest.expect(200, 'GET', '/v1/storage-pools?name=fast');
      return (body['items'] as { id: string }[])[0];
    });
    const { boot, inGuest } = guestsOf(site, await site.createFlavor('small', 192, 256));
    const onPool = { hardware: { devices: { rootDisk: { poolId: pool.id } } } };
    const tiny = await site.uploadImage('tiny', (await guestImage('tiny')).path);
    const first = await boot('first', tiny, onPool);
    const recorded = () => readdirSync(join(poolPath, 'volumes')).sort();
    const before = recorded();
    await inGuest(first, `dd if=/dev/urandom of=/dev/vda ${MARK} conv=notrunc,fsync 2>/dev/null`);
    const written = await inGuest(first, CHECKSUM);
    const { body } = await site.rest.expect(202, 'POST', `/v1/vms/${first}/publish`, { name: 'golden' });
    await site.hosts[0]?.restartAgent('kill');
    const { id: operationId } = body['operation'] as { id: string };
    expect(await operationEnd(site.rest, operationId, CHANGE_MS_MAX)).toMatchObject({
      state: 'succeeded',
      error: null,
    });
    // It goes on, and nothing of what was done is left.
    expect((await site.rest.expect(200, 'GET', `/v1/vms/${first}`)).body).toMatchObject({ state: 'running' });
    await eventually('the guest answers', BOOT_MS_MAX, async () => {
      const exec = { command: ['sh', '-c', CHECKSUM] };
      const answer = await site.rest.send('POST', `/v1/vms/${first}/exec`, exec);
      return answer.status === 200 && String(answer.body['stdout']).trim() === written;
    });
    expect(recorded()).toEqual(before);
    expect(readdirSync(join(String(site.hosts[0]?.stateDir), 'publishing'))).toEqual([]);
    const second = await boot('second', String(body['resourceId']), onPool);
    expect(await inGuest(second, CHECKSUM)).toBe(written);
  });
});
