import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guestImage } from '../support/guest-images.js';
import { startPostgres, type TestPostgres } from '../support/postgres.js';
import { eventually } from './eventually.js';
import { leftovers, qemuPids } from './leftovers.js';
import { operationEnd, type Site, startSite } from './site.js';

// Emulated guests on two shared cores: generous, and only a bound.
const BOOT_MS_MAX = 180_000;

describe('a Linux guest from a REST call', () => {
  let postgres: TestPostgres;
  let site: Site;
  let vmId: string;
  let createOperationId: string;

  const vm = async () => (await site.rest.expect(200, 'GET', `/v1/vms/${vmId}`)).body;
  const consoleText = async () => {
    const { body } = await site.rest.expect(200, 'GET', `/v1/vms/${vmId}/console`);
    return String(body['text']);
  };
  const lastUptime = async () => {
    const seen = [...(await consoleText()).matchAll(/KVORUM-UPTIME (\d+)/g)].map((match) => Number(match[1]));
    return seen.at(-1);
  };
  const runningHost = async () => {
    const { body } = await site.rest.expect(200, 'GET', `/v1/vms/${vmId}`);
    const host = site.hosts.find((candidate) => candidate.id === body['hostId']);
    if (host === undefined) throw new Error(`the VM is on no host of this site: ${JSON.stringify(body)}`);
    return host;
  };
  const request = async (verb: string, body: Record<string, unknown> = {}) => {
    const answer = await site.rest.expect(202, 'POST', `/v1/vms/${vmId}/${verb}`, body);
    return operationEnd(site.rest, (answer.body['operation'] as { id: string }).id, BOOT_MS_MAX);
  };

  beforeAll(async () => {
    postgres = await startPostgres();
    site = await startSite({ hostNames: ['host-a', 'host-b'], databaseUrl: postgres.adminUrl });
  }, 120_000);
  afterAll(async () => {
    await site?.close();
    await postgres?.stop();
  });

  test('boots until the guest itself says it is up', { timeout: BOOT_MS_MAX }, async () => {
    const imageId = await site.uploadImage('tiny', (await guestImage('tiny')).path);
    const flavorId = await site.createFlavor('small', 256, 256);
    const created = await site.createVm({ name: 'first', imageId, flavorId });
    vmId = created.vmId;
    createOperationId = created.operationId;
    expect(await operationEnd(site.rest, createOperationId, BOOT_MS_MAX)).toMatchObject({ state: 'succeeded' });
    await eventually('the console says KVORUM-GUEST-UP', BOOT_MS_MAX, async () =>
      (await consoleText()).includes('KVORUM-GUEST-UP'),
    );
    await eventually('the guest agent answers', BOOT_MS_MAX, async () => {
      const guest = (await vm())['guest'] as { agent: string };
      return guest.agent === 'responding';
    });
    expect(await vm()).toMatchObject({ state: 'running', name: 'first', epoch: 1, accelerator: 'tcg' });
    expect(qemuPids(await runningHost())).toHaveLength(1);
  });

  test.each(['stop', 'kill'] as const)(
    'lives on when its agent is restarted by %s',
    { timeout: BOOT_MS_MAX },
    async (how) => {
      const host = await runningHost();
      const [pidBefore] = qemuPids(host);
      const uptimeBefore = await eventually('the guest tells its uptime', 30_000, lastUptime);
      await host.restartAgent(how);
      const uptimeAfter = await eventually('the uptime goes on', 60_000, async () => {
        const uptime = await lastUptime();
        return uptime !== undefined && uptime > uptimeBefore ? uptime : undefined;
      });
      expect(uptimeAfter).toBeGreaterThan(uptimeBefore);
      expect(qemuPids(host)).toEqual([pidBefore]);
      await eventually('the adopted VM is reported', 30_000, async () => {
        const { body } = await site.rest.expect(200, 'GET', `/v1/hosts/${host.id}`);
        return body['connectivity'] === 'connected' && (await vm())['state'] === 'running';
      });
      expect(await vm()).toMatchObject({ state: 'running', epoch: 1 });
    },
  );

  test('pauses, and time stands still for the guest until it is resumed', { timeout: BOOT_MS_MAX }, async () => {
    expect(await request('pause')).toMatchObject({ state: 'succeeded' });
    expect(await vm()).toMatchObject({ state: 'paused' });
    const sizeWhenPaused = (await site.rest.expect(200, 'GET', `/v1/vms/${vmId}/console`)).body['sizeBytes'];
    const uptimeWhenPaused = await lastUptime();
    expect((await site.rest.expect(200, 'GET', `/v1/vms/${vmId}/console`)).body['sizeBytes']).toBe(sizeWhenPaused);
    expect(await request('resume')).toMatchObject({ state: 'succeeded' });
    await eventually('the guest goes on', 60_000, async () => (await lastUptime())! > uptimeWhenPaused!);
  });

  test('goes on while PostgreSQL restarts, and the control plane comes back by itself', {
    timeout: BOOT_MS_MAX,
  }, async () => {
    const [pidBefore] = qemuPids(await runningHost());
    const uptimeBefore = await eventually('the guest tells its uptime', 30_000, lastUptime);
    await postgres.restart();
    await eventually(
      'the API answers again',
      60_000,
      async () => (await site.rest.send('GET', '/v1/vms')).status === 200,
    );
    await eventually('the uptime goes on', 60_000, async () => ((await lastUptime()) ?? 0) > uptimeBefore);
    expect(qemuPids(await runningHost())).toEqual([pidBefore]);
    await eventually('both hosts report again', 60_000, async () => {
      const { body } = await site.rest.expect(200, 'GET', '/v1/hosts?connectivity=connected');
      return (body['items'] as unknown[]).length === 2;
    });
  });

  test('stops when the power button is pressed, without being stopped hard', { timeout: BOOT_MS_MAX }, async () => {
    const end = await request('stop', { graceMs: 60_000 });
    expect(end).toMatchObject({ state: 'succeeded' });
    expect(await vm()).toMatchObject({ state: 'stopped' });
    expect(qemuPids(await runningHost())).toEqual([]);
    expect(await consoleText()).toContain('KVORUM-GUEST-DOWN poweroff');
  });

  test('starts again under a higher epoch, though PostgreSQL restarts meanwhile', {
    timeout: BOOT_MS_MAX,
  }, async () => {
    const { body } = await site.rest.expect(202, 'POST', `/v1/vms/${vmId}/start`);
    await postgres.restart();
    const { id } = body['operation'] as { id: string };
    expect(await operationEnd(site.rest, id, BOOT_MS_MAX)).toMatchObject({ state: 'succeeded' });
    expect(await vm()).toMatchObject({ state: 'running', epoch: 2 });
    expect(qemuPids(await runningHost())).toHaveLength(1);
  });

  test('is deleted while it runs, and leaves nothing behind', { timeout: BOOT_MS_MAX }, async () => {
    const host = await runningHost();
    const answer = await site.rest.expect(202, 'DELETE', `/v1/vms/${vmId}`);
    const end = await operationEnd(site.rest, (answer.body['operation'] as { id: string }).id, BOOT_MS_MAX);
    expect(end).toMatchObject({ state: 'succeeded' });
    expect((await site.rest.send('GET', `/v1/vms/${vmId}`)).status).toBe(404);
    expect(qemuPids(host)).toEqual([]);
    expect(await leftovers(site)).toEqual([]);
  });

  test('is remembered in the record of the operation that made it', async () => {
    const { body } = await site.rest.expect(200, 'GET', `/v1/operations/${createOperationId}`);
    expect((body['steps'] as { name: string; state: string }[]).map((step) => [step.name, step.state])).toEqual([
      ['ensure-image', 'done'],
      ['ensure-disk', 'done'],
      ['ensure-vm', 'done'],
    ]);
    expect(body['resourceId']).toBe(vmId);
  });
});
