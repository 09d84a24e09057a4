import { readdirSync } from 'node:fs';
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

describe('a Linux guest that is published', () => {
  let site: Site;
  let flavorId: string;
  beforeAll(async () => {
    site = await startSite({ hostNames: ['host-a'] });
    flavorId = await site.createFlavor('small', 192, 256);
  });
  afterAll(() => site?.close());

  const boot = async (name: string, imageId: string): Promise<string> => {
    const { vmId, operationId } = await site.createVm({ name, imageId, flavorId });
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

  test('is an image, with what it wrote, that another VM boots from', async () => {
    const tiny = await site.uploadImage('tiny', (await guestImage('tiny')).path);
    const first = await boot('first', tiny);
    const checksum = 'dd if=/dev/vda bs=1M skip=255 count=1 2>/dev/null | md5sum';
    await inGuest(first, `dd if=/dev/urandom of=/dev/vda ${MARK} conv=notrunc,fsync 2>/dev/null`);
    const written = await inGuest(first, checksum);
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
    expect(await inGuest(second, checksum)).toBe(written);
  });
});
