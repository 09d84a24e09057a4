import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guestImage } from '../support/guest-images.js';
import { eventually } from './eventually.js';
import { type HostNamespaces, openHostNamespaces } from './host-namespaces.js';
import { qemuPids } from './leftovers.js';
import { MIB, operationEnd, type Site, startSite, type TestHost } from './site.js';

// Emulated guests on two shared cores: generous, and only a bound.
const BOOT_MS_MAX = 240_000;
const MOVE_MS_MAX = 180_000;
const HOOK_MS_MAX = 900_000;

/** Two hosts, each a network namespace with a real agent in it: the VM's files pass between them by the wire alone. */
describe.skipIf(process.getuid?.() !== 0)('a stopped VM with two disks and a TPM', () => {
  let places: HostNamespaces;
  let site: Site;
  let vmId: string;
  let tpmSha256: string;

  const inGuest = async (command: string): Promise<string> => {
    const body = { command: ['sh', '-c', command], timeoutMs: 60_000 };
    const answer = await site.rest.expect(200, 'POST', `/v1/vms/${vmId}/exec`, body);
    expect(answer.body['exitCode']).toBe(0);
    return String(answer.body['stdout']);
  };
  const vm = async () => (await site.rest.expect(200, 'GET', `/v1/vms/${vmId}`)).body;
  const ask = async (what: string, body: object = {}): Promise<string> => {
    const answer = await site.rest.expect(202, 'POST', `/v1/vms/${vmId}/${what}`, body);
    return (answer.body['operation'] as { id: string }).id;
  };
  const perform = async (what: string, body: object = {}): Promise<void> =>
    expect(await operationEnd(site.rest, await ask(what, body), MOVE_MS_MAX)).toMatchObject({ state: 'succeeded' });
  const start = async (): Promise<void> => {
    await perform('start');
    await eventually(
      'the guest agent answers',
      BOOT_MS_MAX,
      async () => ((await vm())['guest'] as { agent: string }).agent === 'responding',
    );
  };
  const hostAt = (index: number): TestHost => {
    const host = site.hosts[index];
    if (host === undefined) throw new TypeError(`the site has host ${index}`);
    return host;
  };
  /** What a host keeps of the VM, by path below its state folder; swtpm's lock is nobody's. */
  const filesOn = ({ stateDir }: TestHost): string[] =>
    ['disks', 'firmware'].flatMap((kind) => {
      const folder = path.join(stateDir, kind, vmId);
      if (!existsSync(folder)) return [];
      return readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
        .map(({ name }) => `${kind}/${name}`);
    });
  const tpmOn = ({ stateDir }: TestHost): string =>
    createHash('sha256')
      .update(readFileSync(path.join(stateDir, 'firmware', vmId, 'tpm', 'tpm2-00.permall')))
      .digest('hex');
  const WRITE = (device: string, offsetMib: number) =>
    `dd if=/tmp/words of=${device} bs=1M seek=${offsetMib} conv=fsync,notrunc 2>/dev/null`;
  const READ = (device: string, offsetMib: number) =>
    `dd if=${device} bs=1M skip=${offsetMib} count=1 2>/dev/null | head -c 5`;

  beforeAll(async () => {
    places = await openHostNamespaces('ktmove', 2);
    site = await startSite({
      hostNames: ['host-a', 'host-b'],
      address: places.address,
      places: places.hosts.map(({ address, through }) => ({ address, through, flags: [] })),
    });
    const imageId = await site.uploadImage('tiny', (await guestImage('tiny')).path);
    const flavorId = await site.createFlavor('small', 128, 128);
    const hardware = { devices: { dataDisks: [{ sizeBytes: 96 * MIB }] }, firmware: { tpm: '2.0' } };
    const created = await site.createVm({ name: 'web', imageId, flavorId, hardware, hostId: hostAt(0).id });
    vmId = created.vmId;
    expect(await operationEnd(site.rest, created.operationId, BOOT_MS_MAX)).toMatchObject({ state: 'succeeded' });
    await eventually(
      'the guest agent answers',
      BOOT_MS_MAX,
      async () => ((await vm())['guest'] as { agent: string }).agent === 'responding',
    );
    await inGuest(`echo first > /tmp/words && ${WRITE('/dev/vda', 100)} && ${WRITE('/dev/vdb', 90)}`);
  }, HOOK_MS_MAX);
  afterAll(async () => {
    await site?.close();
    await places?.close();
  }, HOOK_MS_MAX);

  test('is not moved while it runs', async () => {
    const refused = await site.rest.send('POST', `/v1/vms/${vmId}/move`, {});
    expect(refused).toMatchObject({ status: 409, body: { code: 'conflict_state' } });
    expect(String(refused.body['detail'])).toContain('stop it first');
  });

  test('is moved with all it has, and leaves nothing', async () => {
    await perform('stop', { graceMs: 0 });
    tpmSha256 = tpmOn(hostAt(0));
    const before = filesOn(hostAt(0)).sort();
    expect(before).toHaveLength(3);
    await perform('move');
    expect(await vm()).toMatchObject({ state: 'stopped', hostId: hostAt(1).id });
    expect(filesOn(hostAt(0))).toEqual([]);
    expect(filesOn(hostAt(1)).sort()).toEqual(before);
    expect(tpmOn(hostAt(1))).toBe(tpmSha256);
  });

  test('has there what its guest wrote before, and runs there alone', async () => {
    await start();
    expect(qemuPids(hostAt(0))).toEqual([]);
    expect(qemuPids(hostAt(1))).toHaveLength(1);
    expect(await inGuest(READ('/dev/vda', 100))).toBe('first');
    expect(await inGuest(READ('/dev/vdb', 90))).toBe('first');
    await inGuest(`echo later > /tmp/words && ${WRITE('/dev/vda', 100)} && ${WRITE('/dev/vdb', 90)}`);
    await perform('stop', { graceMs: 0 });
  });

  test('is moved back while the agents of both hosts are killed, and has what was written last', async () => {
    const operationId = await ask('move', { hostId: hostAt(0).id });
    for (const index of [1, 0]) await hostAt(index).restartAgent('kill');
    expect(await operationEnd(site.rest, operationId, MOVE_MS_MAX)).toMatchObject({ state: 'succeeded' });
    expect(filesOn(hostAt(1))).toEqual([]);
    await start();
    expect(await inGuest(READ('/dev/vda', 100))).toBe('later');
    expect(await inGuest(READ('/dev/vdb', 90))).toBe('later');
    expect(qemuPids(hostAt(1))).toEqual([]);
  });
});
