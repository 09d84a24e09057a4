import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guestImage } from '../support/guest-images.js';
import { eventually } from './eventually.js';
import { type HostNamespaces, openHostNamespaces } from './host-namespaces.js';
import { operationEnd, type Site, startSite } from './site.js';

// Emulated guests on two shared cores: generous, and only a bound.
const BOOT_MS_MAX = 240_000;
const SEEN_MS_MAX = 90_000;
const HOOK_MS_MAX = 900_000;
const GUESTS = ['web', 'db'] as const;
type Guest = (typeof GUESTS)[number];
const ICMP = { direction: 'ingress', protocol: 'icmp' };
const OUT = { direction: 'egress' };

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK+6bw+GGoI4XI7EG0cufyyf/XbW4ss2CF03WuuTvey5 test';
const USER_DATA = '#cloud-config\npassword: correct-horse\n';

/** Asks at the metadata address; what follows the headers is one line. busybox's wget does not work when it is linked statically. */
const METADATA = `ask() { printf "$1 /latest/$2 HTTP/1.1\\r\\nHost: 169.254.169.254\\r\\n$3\\r\\nConnection: close\\r\\n\\r\\n" | nc -w 10 169.254.169.254 80 | tail -n 1; }
token=$(ask PUT api/token "X-aws-ec2-metadata-token-ttl-seconds: 60")
for path in meta-data/local-hostname meta-data/local-ipv4 meta-data/public-keys/0/openssh-key user-data; do
  ask GET $path "X-aws-ec2-metadata-token: $token"; echo
done`;

/** What busybox asks an address with: it has no script of its own for what is to be done with it. */
const DHCP = `cat > /tmp/dhcp <<'END'
#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip address replace "$ip/$mask" dev eth0
ip route replace default via "$router"
echo "search $domain" > /etc/resolv.conf
for server in $dns; do echo "nameserver $server" >> /etc/resolv.conf; done
END
chmod +x /tmp/dhcp
ip link set eth0 up
udhcpc -i eth0 -s /tmp/dhcp -n -q -t 10 -T 3 >/dev/null 2>&1
ip -4 -o address show dev eth0 scope global`;

/**
 * Two hosts, each a network namespace with a real agent in it, and a Linux guest on each: what is proved are the record, the wire, the
 * agent, the rules of the kernel and QEMU together.
 */
describe.skipIf(process.getuid?.() !== 0)('two Linux guests with cards on a network of two hosts', () => {
  let places: HostNamespaces;
  let site: Site;
  let before: string[][];
  let networkId: string;
  let groupId: string;
  const vmIds: Partial<Record<Guest, string>> = {};

  interface Port {
    readonly id: string;
    readonly name: string;
    readonly address: string;
    readonly macAddress: string;
  }
  const portOf = async (guest: Guest): Promise<Port> => {
    const { body } = await site.rest.expect(200, 'GET', `/v1/networks/${networkId}/ports?vmId=${vmIds[guest]}`);
    const [port] = body['items'] as Port[];
    if (port === undefined) throw new TypeError(`${guest} has a port`);
    return port;
  };
  const inGuest = async (guest: Guest, command: string): Promise<{ code: number; words: string }> => {
    const body = { command: ['sh', '-c', command], timeoutMs: 60_000 };
    const answer = await site.rest.expect(200, 'POST', `/v1/vms/${vmIds[guest]}/exec`, body);
    return { code: Number(answer.body['exitCode']), words: String(answer.body['stdout']) };
  };
  const ping = (from: Guest, to: string, options = '') => inGuest(from, `ping -c 1 -W 2 ${options} ${to}`);
  const allow = (...rules: object[]) =>
    site.rest.expect(200, 'PATCH', `/v1/security-groups/${groupId}`, { rules: [OUT, ...rules] });

  beforeAll(async () => {
    places = await openHostNamespaces('ktnet', 2);
    site = await startSite({
      hostNames: ['host-a', 'host-b'],
      address: places.address,
      places: places.hosts.map(({ address, through }) => ({
        ...{ address, through },
        flags: ['--networks', '--overlay-address', address],
      })),
    });
    before = await Promise.all(places.hosts.map((host) => host.traces()));
    const network = { name: 'shop', cidr: '10.20.0.0/24', kind: 'vxlan' };
    networkId = String((await site.rest.expect(201, 'POST', '/v1/networks', network)).body['id']);
    groupId = String((await site.rest.expect(201, 'POST', '/v1/security-groups', { name: 'quiet' })).body['id']);
    const imageId = await site.uploadImage('tiny', (await guestImage('tiny')).path);
    const flavorId = await site.createFlavor('small', 128, 128);
    for (const [index, name] of GUESTS.entries()) {
      const nics = [{ backend: { kind: 'network', networkId, securityGroupIds: [groupId] } }];
      const place = { hostId: site.hosts[index]?.id, hardware: { devices: { nics } } };
      const cloudInit = name === 'web' ? { cloudInit: { sshAuthorizedKeys: [KEY], userData: USER_DATA } } : {};
      const created = await site.createVm({ name, imageId, flavorId, ...cloudInit, ...place });
      vmIds[name] = created.vmId;
      expect(await operationEnd(site.rest, created.operationId, BOOT_MS_MAX)).toMatchObject({ state: 'succeeded' });
    }
    for (const guest of GUESTS) {
      await eventually(`the agent of ${guest} answers`, BOOT_MS_MAX, async () => {
        const { body } = await site.rest.expect(200, 'GET', `/v1/vms/${vmIds[guest]}`);
        return (body['guest'] as { agent: string }).agent === 'responding';
      });
    }
  }, HOOK_MS_MAX);
  afterAll(async () => {
    await site?.close();
    await places?.close();
  }, HOOK_MS_MAX);

  test('take host name, key, address and routes from a seed disk, where there is one', async () => {
    const { address } = await portOf('web');
    expect((await inGuest('web', 'hostname')).words).toBe('web\n');
    expect((await inGuest('web', 'cat /run/seed/user-data')).words).toBe(USER_DATA);
    expect((await inGuest('web', 'cat /run/seed/meta-data')).words).toContain(KEY);
    expect((await inGuest('web', 'ip -4 -o address show dev eth0')).words).toContain(`${address}/24`);
    expect((await inGuest('web', 'cat /sys/class/net/eth0/mtu')).words).toBe('1450\n');
    expect((await inGuest('web', 'nslookup web.shop.internal')).words).toContain(address);
    expect((await inGuest('db', 'ls /run/seed')).code).not.toBe(0);
  });

  test('are told the same at the metadata address, each of itself alone', async () => {
    const { address } = await portOf('web');
    const { words } = await inGuest('web', METADATA);
    expect(words.trim().split('\n')).toEqual(['web', address, KEY, 'password: correct-horse']);
  });

  test('get their addresses by DHCP, and the MTU of the overlay', async () => {
    for (const guest of GUESTS) {
      const { address, macAddress, name } = await portOf(guest);
      expect(name).toBe(guest);
      expect((await inGuest(guest, DHCP)).words).toContain(`${address}/24`);
      expect((await inGuest(guest, 'cat /sys/class/net/eth0/address /sys/class/net/eth0/mtu')).words).toBe(
        `${macAddress}\n1450\n`,
      );
    }
  });

  test('are kept apart by a security group, until its rule lets them through by name over the overlay, and again', async () => {
    const { address } = await portOf('db');
    expect((await inGuest('web', 'nslookup db.shop.internal')).words).toContain(address);
    expect((await ping('web', 'db.shop.internal')).code).not.toBe(0);
    await allow(ICMP);
    await eventually('web reaches db', SEEN_MS_MAX, async () => (await ping('web', 'db.shop.internal')).code === 0);
    expect((await inGuest('web', `ping -c 1 -s 1422 -W 5 ${address}`)).code).toBe(0);
    await allow();
    // An echo that is answered already goes on; a new one is judged anew.
    await eventually('db is closed', SEEN_MS_MAX, async () => (await ping('web', address)).code !== 0);
    await allow(ICMP);
    await eventually('web reaches db', SEEN_MS_MAX, async () => (await ping('web', address)).code === 0);
  });

  test('get nowhere with an address that is not theirs', async () => {
    const { address } = await portOf('db');
    await inGuest('web', 'ip address add 10.20.0.200/24 dev eth0');
    expect((await ping('web', address, '-I 10.20.0.200')).code).not.toBe(0);
    await inGuest('web', 'ip address delete 10.20.0.200/24 dev eth0');
    expect((await ping('web', address)).code).toBe(0);
  });

  test('reach each other while the agents of their hosts are started anew', async () => {
    const { address } = await portOf('db');
    for (const host of site.hosts) await host.restartAgent('kill');
    await eventually('web reaches db', SEEN_MS_MAX, async () => (await ping('web', address)).code === 0);
  });

  test('lose a card while they run, and their hosts its tap and their network its port', async () => {
    const { address } = await portOf('db');
    const body = { hardware: { devices: { nics: [] } }, onlyLive: true };
    const answer = await site.rest.expect(202, 'PATCH', `/v1/vms/${vmIds.db}`, body);
    const { id } = answer.body['operation'] as { id: string };
    expect(await operationEnd(site.rest, id, BOOT_MS_MAX)).toMatchObject({ state: 'succeeded' });
    expect((await inGuest('db', 'ls /sys/class/net')).words).toBe('lo\n');
    const { body: ports } = await site.rest.expect(200, 'GET', `/v1/networks/${networkId}/ports`);
    expect((ports['items'] as Port[]).map(({ name }) => name)).toEqual(['web']);
    const host = places.hosts[1];
    await eventually(
      'its host has no tap',
      SEEN_MS_MAX,
      async () => !(await host?.run('ip', '-br', 'link'))?.includes('kvt'),
    );
    expect((await ping('web', address)).code).not.toBe(0);
  });

  test('leave nothing on their hosts', async () => {
    for (const guest of GUESTS) {
      const answer = await site.rest.expect(202, 'DELETE', `/v1/vms/${vmIds[guest]}`);
      const { id } = answer.body['operation'] as { id: string };
      expect(await operationEnd(site.rest, id, BOOT_MS_MAX)).toMatchObject({ state: 'succeeded' });
    }
    await site.rest.expect(204, 'DELETE', `/v1/networks/${networkId}`);
    for (const [index, host] of places.hosts.entries()) {
      await eventually('the host is as it was', SEEN_MS_MAX, async () => {
        expect(await host.traces()).toEqual(before[index]);
        return true;
      });
    }
  });
});
