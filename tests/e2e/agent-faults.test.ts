import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guestImage } from '../support/guest-images.js';
import { eventually } from './eventually.js';
import { leftovers, qemuPids } from './leftovers.js';
import { operationEnd, type Site, startSite, type TestHost } from './site.js';

const BOOT_MS_MAX = 120_000;
const CONSOLE_MS_MAX = 30_000;
/** Found within 8 s and a tick, reported at once; more for machines that are busy. */
const REPORTED_MS_MAX = 60_000;

interface SeenVm {
  readonly state: string;
  readonly epoch: number;
  readonly conditions: readonly { readonly kind: string; readonly detail: string }[];
}

/** One guest under a real agent; the tests trouble both one after the other. */
describe('a real agent with a VM', () => {
  let site: Site;
  let host: TestHost;
  let vmId: string;
  let pid: number;

  const vm = async () => (await site.rest.expect(200, 'GET', `/v1/vms/${vmId}`)).body as unknown as SeenVm;
  const conditions = async () => (await vm()).conditions.map(({ kind }) => kind);
  const console = async () => String((await site.rest.expect(200, 'GET', `/v1/vms/${vmId}/console`)).body['text']);
  const guestGoesOn = async (): Promise<void> => {
    const before = await console();
    await eventually('the guest prints', CONSOLE_MS_MAX, async () => (await console()) !== before);
    expect(qemuPids(host)).toEqual([pid]);
    expect(await vm()).toMatchObject({ state: 'running', epoch: 1, conditions: [] });
  };

  beforeAll(async () => {
    site = await startSite({ hostNames: ['host-a'] });
    host = site.hosts[0]!;
    const imageId = await site.uploadImage('sector', (await guestImage('boot-sector')).path);
    const flavorId = await site.createFlavor('small', 64, 8);
    const created = await site.createVm({ name: 'troubled', imageId, flavorId });
    vmId = created.vmId;
    expect(await operationEnd(site.rest, created.operationId, BOOT_MS_MAX)).toMatchObject({ state: 'succeeded' });
    [pid = 0] = qemuPids(host);
  });
  afterAll(() => site?.close());

  test('refuses a second agent on its folders, which ends and says why; the VM is untouched', async () => {
    await expect(host.startAnotherAgent()).rejects.toThrow('ended with 1 before it was ready');
    const failure = readFileSync(host.logPath, 'utf8')
      .split('\n')
      .find((line) => line.includes('"event":"failed"'));
    expect(JSON.parse(failure ?? '{}')).toEqual({
      event: 'failed',
      reason: `another agent is running on ${host.stateDir}: stop it first, or give this one a --state-dir of its own`,
    });
    expect(host.agent.isRunning()).toBe(true);
    await guestGoesOn();
  });

  test('reports a VM whose process hangs within a bound, leaves it alone, and sees that it is well again', async () => {
    process.kill(pid, 'SIGSTOP');
    await eventually('the hang is reported', REPORTED_MS_MAX, async () => (await conditions()).includes('hung'));
    expect(await vm()).toMatchObject({ state: 'running', epoch: 1 });
    process.kill(pid, 'SIGCONT');
    await eventually('it is well', REPORTED_MS_MAX, async () => (await conditions()).length === 0);
    await guestGoesOn();
  });

  test('killed over a VM that hangs, is followed by one that finds the VM and still says so', async () => {
    process.kill(pid, 'SIGSTOP');
    await host.restartAgent('kill');
    await eventually('the hang is reported', REPORTED_MS_MAX, async () => (await conditions()).includes('hung'));
    process.kill(pid, 'SIGCONT');
    await eventually('it is well', REPORTED_MS_MAX, async () => (await conditions()).length === 0);
    await guestGoesOn();
  });

  test('ends a VM that hangs when it is asked to delete it, and nothing is left', async () => {
    process.kill(pid, 'SIGSTOP');
    const answer = await site.rest.expect(202, 'DELETE', `/v1/vms/${vmId}`);
    const { id } = answer.body['operation'] as { id: string };
    expect(await operationEnd(site.rest, id, BOOT_MS_MAX)).toMatchObject({ state: 'succeeded' });
    expect(await leftovers(site)).toEqual([]);
  });
});
