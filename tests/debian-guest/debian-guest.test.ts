import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../e2e/eventually.js';
import { type HostNamespaces, openHostNamespaces } from '../e2e/host-namespaces.js';
import { operationEnd, type Site, startSite } from '../e2e/site.js';
import { guestImage } from '../support/guest-images.js';

const exec = promisify(execFile);
/** systemd and cloud-init under emulation: two to four minutes each on shared cores. */
const BOOT_MS_MAX = 1_200_000;
const SEEN_MS_MAX = 60_000;
const HOOK_MS_MAX = 2_400_000;
/** From the answer to the request to the first connection; the promise is of an idle machine, and so is this test. */
const ALLOWED_MS_MAX = 1_000;
const GUESTS = ['web', 'db'] as const;
type Guest = (typeof GUESTS)[number];
const PORT = 8080;
const ingress = (port: number) => ({ direction: 'ingress', protocol: 'tcp', portMin: port, portMax: port });
const OUT = { direction: 'egress' };
const WORDS = 'written by cloud-init';
const USER_DATA = `#cloud-config\nwrite_files:\n  - path: /run/kvorum-user-data\n    content: "${WORDS}"\n`;

/** Two hosts, each a network namespace with a real agent in it, and a whole Debian on each. Needs root, and minutes. */
describe.skipIf(process.getuid?.() !== 0)('two Debian guests with cloud-init on a network of two hosts', () => {
  let places: HostNamespaces;
  let site: Site;
  let folder: string;
  let networkId: string;
  let groupId: string;
  let publicKey: string;
  const vmIds: Partial<Record<Guest, string>> = {};
  const addresses: Partial<Record<Guest, string>> = {};

  const inGuest = async (guest: Guest, command: string): Promise<{ code: number; words: string }> => {
    const body = { command: ['sh', '-c', command], timeoutMs: 60_000 };
    const answer = await site.rest.expect(200, 'POST', `/v1/vms/${vmIds[guest]}/exec`, body);
    return { code: Number(answer.body['exitCode']), words: String(answer.body['stdout']).trim() };
  };
  const allow = (...rules: object[]) =>
    site.rest.expect(200, 'PATCH', `/v1/security-groups/${groupId}`, { rules: [OUT, ...rules] });
  /** From where a host's gateway of the network is. */
  const fromGateway = async (index: number, ...command: string[]): Promise<string> => {
    const { through = [] } = places.hosts[index] ?? {};
    const [program = '', ...args] = [...through, 'ip', 'netns', 'exec', `kvorum-${networkId}`, ...command];
    return (await exec(program, args, { timeout: SEEN_MS_MAX })).stdout.trim();
  };

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'kvorum-debian-'));
    const key = path.join(folder, 'key');
    await exec('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', key]);
    publicKey = (await readFile(`${key}.pub`, 'utf8')).trim();
    places = await openHostNamespaces('ktdeb', 2);
    site = await startSite({
      hostNames: ['host-a', 'host-b'],
      address: places.address,
      places: places.hosts.map(({ address, through }) => ({
        ...{ address, through },
        flags: ['--networks', '--overlay-address', address],
      })),
    });
    const network = { name: 'shop', cidr: '10.20.0.0/24', kind: 'vxlan' };
    networkId = String((await site.rest.expect(201, 'POST', '/v1/networks', network)).body['id']);
    groupId = String((await site.rest.expect(201, 'POST', '/v1/security-groups', { name: 'quiet' })).body['id']);
    await allow(ingress(22));
    const imageId = await site.uploadImage('debian', (await guestImage('debian')).path);
    const flavorId = await site.createFlavor('medium', 512, 2048);
    const cloudInit = { sshAuthorizedKeys: [publicKey], userData: USER_DATA };
    const operations: string[] = [];
    for (const [index, name] of GUESTS.entries()) {
      const nics = [{ backend: { kind: 'network', networkId, securityGroupIds: [groupId] } }];
      const place = { hostId: site.hosts[index]?.id, hardware: { devices: { nics } } };
      const created = await site.createVm({ name, imageId, flavorId, cloudInit, ...place });
      vmIds[name] = created.vmId;
      operations.push(created.operationId);
    }
    for (const id of operations) {
      expect(await operationEnd(site.rest, id, BOOT_MS_MAX)).toMatchObject({ state: 'succeeded' });
    }
    for (const guest of GUESTS) {
      const { body } = await site.rest.expect(200, 'GET', `/v1/networks/${networkId}/ports?vmId=${vmIds[guest]}`);
      addresses[guest] = (body['items'] as { address: string }[])[0]?.address ?? '';
      // Read from outside: asked in the guest again and again, it would have no time for anything else.
      await eventually(`cloud-init has ended in ${guest}`, BOOT_MS_MAX, async () => {
        const { body: log } = await site.rest.expect(200, 'GET', `/v1/vms/${vmIds[guest]}/console`);
        return /Cloud-init v\. \S+ finished at/.test(String(log['text']));
      });
    }
  }, HOOK_MS_MAX);
  afterAll(async () => {
    await site?.close();
    await places?.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }, HOOK_MS_MAX);

  test('have the name, the key, the address and what their user data asks for', async () => {
    for (const guest of GUESTS) {
      expect((await inGuest(guest, 'cloud-init status')).words).toBe('status: done');
      expect((await inGuest(guest, 'hostname')).words).toBe(guest);
      expect((await inGuest(guest, 'cat ~debian/.ssh/authorized_keys')).words).toContain(publicKey);
      expect((await inGuest(guest, 'ip -4 -o address show scope global')).words).toContain(`${addresses[guest]}/24`);
      expect((await inGuest(guest, 'cat /sys/class/net/e*/mtu')).words).toBe('1450');
      expect((await inGuest(guest, 'cat /run/kvorum-user-data')).words).toBe(WORDS);
    }
  });

  test('find each other by name, and what is said of them at the metadata address', async () => {
    expect((await inGuest('web', 'getent hosts db.shop.internal')).words).toContain(addresses.db);
    const ask = `token=$(curl -sf -X PUT -H 'x-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)
for path in meta-data/local-hostname meta-data/local-ipv4 meta-data/public-keys/0/openssh-key user-data; do
  curl -sf -H "x-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/$path; echo
done`;
    for (const guest of GUESTS) {
      const { words } = await inGuest(guest, ask);
      expect(words.split('\n').slice(0, 3)).toEqual([guest, addresses[guest], publicKey]);
      expect(words).toContain(WORDS);
    }
    expect((await inGuest('web', 'curl -s http://169.254.169.254/latest/user-data')).words).toContain('get one by PUT');
  });

  test('reach each other over the overlay as a security group says, within a second', async () => {
    const serve = `systemd-run --unit served sh -c 'while :; do echo hello | nc -l -q 0 ${PORT}; done'`;
    expect((await inGuest('db', serve)).code).toBe(0);
    const reach = `nc -w 2 ${addresses.db} ${PORT} </dev/null`;
    expect((await inGuest('web', reach)).words).toBe('');
    const knock = (): Promise<string> =>
      fromGateway(1, 'timeout', '1', 'bash', '-c', `exec 3<>/dev/tcp/${addresses.db}/${PORT}; head -n 1 <&3`).catch(
        () => '',
      );
    expect(await knock()).toBe('');
    await allow(ingress(22), ingress(PORT));
    const answeredAtMs = performance.now();
    await eventually('the port is open', SEEN_MS_MAX, async () => (await knock()) === 'hello');
    const tookMs = performance.now() - answeredAtMs;
    await eventually('web reaches db', SEEN_MS_MAX, async () => (await inGuest('web', reach)).words === 'hello');
    console.log(`a port was open ${Math.round(tookMs)} ms after its rule was accepted`);
    expect(tookMs).toBeLessThan(ALLOWED_MS_MAX);
  });

  test('let in who has the key, by SSH', async () => {
    const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'BatchMode=yes', 'ConnectTimeout=30'];
    const ssh = ['ssh', '-i', path.join(folder, 'key'), ...options.flatMap((option) => ['-o', option])];
    for (const [index, guest] of GUESTS.entries()) {
      expect(await fromGateway(index, ...ssh, `debian@${addresses[guest]}`, 'sudo', 'hostname')).toBe(guest);
    }
  });
});
