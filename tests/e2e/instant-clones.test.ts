import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guestImage } from '../support/guest-images.js';
import { eventually } from './eventually.js';
import { type HostNamespaces, openHostNamespaces } from './host-namespaces.js';
import { leftovers, qemuPids } from './leftovers.js';
import { operationEnd, type Site, startSite } from './site.js';

const CLI_MAIN = path.resolve(import.meta.dirname, '../../apps/cli/dist/main.js');
// Emulated guests on two shared cores: generous, and only a bound.
const BOOT_MS_MAX = 240_000;
const WORK_MS_MAX = 240_000;
const TEST_MS_MAX = 600_000;
const HOOK_MS_MAX = 900_000;
const FORKS = ['web-1', 'web-2', 'web-3', 'web-4'];
/** In the memory of the guest alone: one that has booted does not have it. */
const KNOWN = 'what the golden guest knew';

/** What busybox asks an address with: it has no script of its own for what is to be done with it. */
const DHCP = `cat > /tmp/dhcp <<'END'
#!/bin/sh
[ "$1" = bound ] && ip address replace "$ip/$mask" dev eth0
END
chmod +x /tmp/dhcp; ip address flush dev eth0; ip link set eth0 up
udhcpc -i eth0 -s /tmp/dhcp -n -q -t 10 -T 3 >/dev/null 2>&1
ip -4 -o address show dev eth0 scope global`;

/** A host with a real agent and QEMU, a Linux guest on a network, and the CLI that forks it: the whole way, but for a second machine. */
describe.skipIf(process.getuid?.() !== 0)('a running Linux guest', () => {
  let places: HostNamespaces;
  let site: Site;
  let networkId: string;
  let templateId: string;
  const vmIds: Record<string, string> = {};

  const kvorum = async (...args: string[]): Promise<string> => {
    const env = { ...process.env, KVORUM_URL: site.rest.url, KVORUM_TOKEN_FILE: site.tokenFile, NO_COLOR: '1' };
    const { stdout } = await promisify(execFile)(process.execPath, [CLI_MAIN, ...args], { env });
    return stdout;
  };
  const inGuest = async (name: string, command: string): Promise<string> => {
    const body = { command: ['sh', '-c', command], timeoutMs: 120_000 };
    const answer = await site.rest.expect(200, 'POST', `/v1/vms/${vmIds[name]}/exec`, body);
    return String(answer.body['stdout']).trim();
  };
  const vm = async (name: string) => (await site.rest.expect(200, 'GET', `/v1/vms/${vmIds[name]}`)).body;
  const untilAnswering = (name: string) =>
    eventually(`the agent of ${name} answers`, BOOT_MS_MAX, async () => {
      const { agent } = (await vm(name))['guest'] as { agent: string };
      return agent === 'responding';
    });
  const portOf = async (name: string) => {
    const { body } = await site.rest.expect(200, 'GET', `/v1/networks/${networkId}/ports?vmId=${vmIds[name]}`);
    const [port] = body['items'] as { address: string; macAddress: string }[];
    if (port === undefined) throw new TypeError(`${name} has a port`);
    return port;
  };
  const perform = async (method: string, url: string, body?: object): Promise<void> => {
    const { id } = (await site.rest.expect(202, method, url, body)).body['operation'] as { id: string };
    expect(await operationEnd(site.rest, id, WORK_MS_MAX)).toMatchObject({ state: 'succeeded' });
  };
  /** What QEMU gives its guest, by the name of the VM. */
  const given = (pattern: RegExp): string[] => {
    const [host] = site.hosts;
    if (host === undefined) throw new TypeError('there is one host');
    const lines = qemuPids(host).map((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '));
    return lines.map((line) => pattern.exec(line)?.[1] ?? 'none');
  };

  beforeAll(async () => {
    places = await openHostNamespaces('ktclone', 1);
    site = await startSite({
      hostNames: ['host-a'],
      address: places.address,
      places: places.hosts.map(({ address, through }) => ({
        ...{ address, through },
        flags: ['--networks', '--overlay-address', address],
      })),
    });
    const network = { name: 'shop', cidr: '10.20.0.0/24', kind: 'vxlan' };
    networkId = String((await site.rest.expect(201, 'POST', '/v1/networks', network)).body['id']);
    const imageId = await site.uploadImage('tiny', (await guestImage('tiny')).path);
    const flavorId = await site.createFlavor('small', 128, 128);
    const hardware = { devices: { nics: [{ backend: { kind: 'network', networkId } }] } };
    const created = await site.createVm({ name: 'golden', imageId, flavorId, hardware, cloudInit: {} });
    vmIds['golden'] = created.vmId;
    expect(await operationEnd(site.rest, created.operationId, BOOT_MS_MAX)).toMatchObject({ state: 'succeeded' });
    await untilAnswering('golden');
    await inGuest('golden', `echo '${KNOWN}' > /run/known`);
  }, HOOK_MS_MAX);
  afterAll(async () => {
    await site?.close();
    await places?.close();
  }, HOOK_MS_MAX);

  test('is frozen, and goes on with its memory and its card', { timeout: TEST_MS_MAX }, async () => {
    const shown = JSON.parse(await kvorum('vm', 'freeze-template', 'golden', 'warm', '--wait', '-o', 'json'));
    expect(shown).toMatchObject({ name: 'warm', state: 'available', goldenVmId: vmIds['golden'], hasSeedDisk: true });
    templateId = shown.id;
    expect(await vm('golden')).toMatchObject({ state: 'running', epoch: 1 });
    expect(await inGuest('golden', 'cat /run/known')).toBe(KNOWN);
    const { address, macAddress } = await portOf('golden');
    expect(await inGuest('golden', 'cat /sys/class/net/eth0/address')).toBe(macAddress);
    expect(await inGuest('golden', DHCP)).toContain(`${address}/24`);
  });

  test('is forked four times at once; each has its memory, and an identity of its own', {
    timeout: TEST_MS_MAX,
  }, async () => {
    const forked = await kvorum('vm', 'fork', 'warm', ...FORKS, '--network', 'shop', '--wait', '-o', 'json');
    const { items } = JSON.parse(forked) as { items: { id: string; name: string; state: string }[] };
    expect(items.map(({ name, state }) => [name, state])).toEqual(FORKS.map((name) => [name, 'running']));
    for (const { id, name } of items) vmIds[name] = id;
    const addresses = new Set<string>();
    for (const name of FORKS) {
      await untilAnswering(name);
      expect(await inGuest(name, 'cat /run/known')).toBe(KNOWN);
      const { address, macAddress } = await portOf(name);
      expect(await inGuest(name, 'cat /sys/class/net/eth0/address')).toBe(macAddress);
      expect(await inGuest(name, DHCP)).toContain(`${address}/24`);
      addresses.add(address);
    }
    expect(addresses.size).toBe(FORKS.length);
    const count = FORKS.length + 1;
    for (const pattern of [/-uuid (\S+)/, /vmgenid[^ ]*guid"?[=:]"?([0-9a-f-]{36})/]) {
      const values = given(pattern);
      expect(values).not.toContain('none');
      expect(new Set(values).size).toBe(count);
    }
  });

  test('and each fork boots as itself', { timeout: TEST_MS_MAX }, async () => {
    expect(await inGuest('web-1', 'hostname')).toBe('golden');
    await perform('POST', `/v1/vms/${vmIds['web-1']}/reboot`, { graceMs: 0 });
    await untilAnswering('web-1');
    await eventually('it has its name', BOOT_MS_MAX, async () => (await inGuest('web-1', 'hostname')) === 'web-1');
    expect(await inGuest('web-1', 'cat /sys/class/dmi/id/product_uuid')).toBe(vmIds['web-1']);
    expect(await inGuest('web-1', 'ls /run')).not.toContain('known');
  });

  test('keeps its template until the last fork is gone, and then nothing is left', {
    timeout: TEST_MS_MAX,
  }, async () => {
    const refused = await site.rest.send('DELETE', `/v1/vm-templates/${templateId}`);
    expect(refused).toMatchObject({ status: 409, body: { code: 'in_use' } });
    for (const name of FORKS) expect(String(refused.body['detail'])).toContain(`VM ${name}`);
    for (const name of FORKS) await perform('DELETE', `/v1/vms/${vmIds[name]}`);
    expect(await vm('golden')).toMatchObject({ state: 'running' });
    await perform('DELETE', `/v1/vm-templates/${templateId}`);
    await perform('DELETE', `/v1/vms/${vmIds['golden']}`);
    expect(await leftovers(site)).toEqual([]);
  });
});
