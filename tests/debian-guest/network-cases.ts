import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { eventually } from '../e2e/eventually.js';
import { type DebianSite, GUESTS, type Guest, ICMP, ingress, SEEN_MS_MAX, WORDS } from './debian-site.js';

/** From the answer to the request to the first connection; the promise is of an idle machine, and so is this test. */
const ALLOWED_MS_MAX = 1_000;
const PORT = 8080;
const FALSE_MAC = '52:54:00:00:be:ef';
const FALSE_ADDRESS = '10.20.0.200';
/** Frames that come to a bridge of the host, before rules of ours judge them. */
const COUNTERS = `table bridge counted {
  counter false_mac {}
  counter false_arp {}
  counter false_address {}
  counter true_mac {}
  chain arriving {
    type filter hook prerouting priority -400; policy accept;
    ether saddr ${FALSE_MAC} counter name false_mac
    arp saddr ip ${FALSE_ADDRESS} counter name false_arp
    ip saddr ${FALSE_ADDRESS} counter name false_address
    ether saddr TRUE_MAC counter name true_mac
  }
}`;

/** Tries to connect 20 times a second, says that it could not, and when it first could. */
const PROBE = `const [host, port] = process.argv.slice(1);
let tries = 0;
setInterval(() => {
  const socket = require('node:net').connect(Number(port), host);
  socket.on('error', () => undefined).once('connect', () => { console.log(Date.now()); process.exit(0); });
  setTimeout(() => socket.destroy(), 2000);
  if (++tries === 20) console.log('shut');
}, 50);
setTimeout(() => process.exit(1), ${SEEN_MS_MAX});`;

/** What is promised of a guest's name, key and network. */
export function networkCases(debian: () => DebianSite): void {
  test('have the name, the key, the address and what their user data asks for', async () => {
    const { told, guests, publicKey } = debian();
    for (const guest of GUESTS) {
      expect(await told(guest, 'cloud-init status --long')).toContain('status: done');
      expect(await told(guest, 'grep -c WARNING /var/log/cloud-init.log || true')).toBe('0');
      expect(await told(guest, 'hostname')).toBe(guest);
      expect(await told(guest, 'cat ~debian/.ssh/authorized_keys')).toContain(publicKey);
      expect(await told(guest, 'ip -4 -o address show scope global')).toContain(`${guests[guest].address}/24`);
      expect(await told(guest, 'cat /sys/class/net/e*/mtu')).toBe('1450');
      expect(await told(guest, 'cat /run/kvorum-user-data')).toBe(WORDS);
    }
  });

  test('find each other by name, and what is said of them at the metadata address', async () => {
    const { told, guests, publicKey } = debian();
    expect(await told('web', 'getent hosts db.shop.internal')).toContain(guests.db.address);
    const ask = `token=$(curl -sf -X PUT -H 'x-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)
for path in meta-data/local-hostname meta-data/local-ipv4 meta-data/public-keys/0/openssh-key user-data; do
  curl -sf -H "x-aws-ec2-metadata-token: $token" http://169.254.169.254/latest/$path; echo
done`;
    for (const guest of GUESTS) {
      const words = await told(guest, ask);
      expect(words.split('\n').slice(0, 3)).toEqual([guest, guests[guest].address, publicKey]);
      expect(words).toContain(WORDS);
    }
    expect(await told('web', 'curl -s http://169.254.169.254/latest/user-data')).toContain('get one by PUT');
  });

  test('reach each other over the overlay as a security group says, within a second', async () => {
    const { told, inGuest, startAtGateway, allow, guests } = debian();
    await told('db', `systemd-run --unit served sh -c 'while :; do echo hello | nc -l -q 0 ${PORT}; done'`);
    const { address } = guests.db;
    const reach = async () => (await inGuest('web', `nc -w 2 ${address} ${PORT} </dev/null`)).words;
    expect(await reach()).toBe('');
    const prober = startAtGateway('db', process.execPath, '-e', PROBE, address, String(PORT));
    const said = linesOf(prober);
    expect(await said()).toBe('shut');
    await allow(ingress(PORT));
    const answeredAtMs = Date.now();
    const tookMs = Number(await said()) - answeredAtMs;
    await eventually('web reaches db', SEEN_MS_MAX, async () => (await reach()) === 'hello');
    console.log(`a port was open ${tookMs} ms after its rule was accepted`);
    expect(tookMs).toBeLessThan(ALLOWED_MS_MAX);
  });

  test('get nowhere with a MAC address or an address that is not theirs', async () => {
    const { told, inGuest, allow, guests } = debian();
    const { address, macAddress } = guests.db;
    await allow(ICMP);
    const ping = (options: string) => inGuest('web', `ping -c 2 -W 2 ${options} ${address}`);
    await eventually('web reaches db', SEEN_MS_MAX, async () => (await ping('')).code === 0);
    for (const guest of GUESTS) {
      await guests[guest].place.run('nft', COUNTERS.replace('TRUE_MAC', guests.web.macAddress));
    }
    // Without asking who has the address, which is dropped already.
    const card = '$(basename /sys/class/net/e*)';
    await told('web', `ip neigh replace ${address} lladdr ${macAddress} dev ${card} nud permanent`);

    await told('web', `ip link set ${card} address ${FALSE_MAC}`);
    expect((await ping('')).code).not.toBe(0);
    await told('web', `ip link set ${card} address ${guests.web.macAddress}; networkctl reconfigure ${card}`);
    await told('web', `ip neigh replace ${address} lladdr ${macAddress} dev ${card} nud permanent`);
    await eventually('web has its own address again', SEEN_MS_MAX, async () => (await ping('')).code === 0);

    await told('web', `ip address add ${FALSE_ADDRESS}/24 dev ${card}`);
    expect((await ping(`-I ${FALSE_ADDRESS}`)).code).not.toBe(0);
    await told('web', `ip neigh flush ${address} dev ${card} nud permanent; ip neigh del ${address} dev ${card}; true`);
    expect((await ping(`-I ${FALSE_ADDRESS}`)).code).not.toBe(0);
    await told('web', `ip address delete ${FALSE_ADDRESS}/24 dev ${card}`);
    expect((await ping('')).code).toBe(0);

    const sent = await countedOn(debian(), 'web');
    for (const name of ['false_mac', 'false_arp', 'false_address', 'true_mac']) {
      expect(sent[name], `${name} left the guest`).toBeGreaterThan(0);
    }
    const arrived = await countedOn(debian(), 'db');
    expect(arrived).toMatchObject({ false_mac: 0, false_arp: 0, false_address: 0 });
    expect(arrived['true_mac']).toBeGreaterThan(0);
  });

  test('let in who has the key, by SSH', async () => {
    for (const guest of GUESTS) expect(await saidBySsh(debian(), guest, 'hostname; id -u')).toBe(`${guest}\n0\n`);
  });
}

/** One line after the other. */
function linesOf({ stdout }: ChildProcess): () => Promise<string> {
  if (stdout === null) throw new TypeError('its output is read');
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  return async () => String((await lines.next()).value);
}

async function countedOn({ guests }: DebianSite, guest: Guest): Promise<Record<string, number>> {
  const listed = JSON.parse(
    await guests[guest].place.run('nft', '-j', 'list', 'counters', 'table', 'bridge', 'counted'),
  );
  const counters = (listed.nftables as { counter?: { name: string; packets: number } }[]).flatMap(({ counter }) =>
    counter === undefined ? [] : [[counter.name, counter.packets] as const],
  );
  return Object.fromEntries(counters);
}

async function saidBySsh({ ssh }: DebianSite, guest: Guest, script: string): Promise<string> {
  const child = ssh(guest, script);
  let words = '';
  child.stdout?.on('data', (part: Buffer) => {
    words += part.toString();
  });
  await new Promise((resolve) => child.once('close', resolve));
  return words;
}
