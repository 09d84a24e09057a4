import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyNetworks } from '../src/apply-networks.js';
import type { DesiredNetworks, HostPort, HostSecurityGroup } from '../src/desired-networks.js';
import { linkName } from '../src/object-names.js';
import { type Machine, openMachine } from './namespaces.js';

/**
 * Two hosts with a wire between them and guests on both, all of them network namespaces that the test makes and that end with
 * it. Needs root, as the agent has it on a host.
 */
const isRoot = process.getuid?.() === 0;
const idOf = (last: number): string => `019a0000-0000-7000-8000-${String(last).padStart(12, '0')}`;
const [OVERLAY, NAT, WEB, DB, WIRE, LOST] = [1, 2, 3, 4, 5, 6].map(idOf) as [
  string,
  string,
  string,
  string,
  string,
  string,
];
const NOTHING = { hostAddress: '10.99.0.1', networks: [], securityGroups: [], resolvers: [] };
const ANY = { protocol: 'any', portMin: null, portMax: null, cidr: null, peerGroupId: null } as const;
const EVERYTHING_OUT = { ...ANY, direction: 'egress' } as const;

const port = (last: number, name: string, address: string, securityGroupIds: string[]): HostPort => ({
  id: idOf(last),
  name,
  macAddress: `52:54:00:00:00:${last}`,
  address,
  securityGroupIds,
  ingressBitsPerSecond: null,
  egressBitsPerSecond: null,
  floatingAddress: null,
});
const PORTS = {
  web: port(11, 'web', '10.20.0.11', [WEB]),
  other: port(12, 'other', '10.20.0.12', [WEB]),
  db: port(13, 'db', '10.20.0.13', [DB]),
  nat: port(14, 'nat', '10.30.0.14', []),
  lan: port(15, 'lan', '10.40.0.15', []),
};
const network = (id: string, subnet: number, ports: HostPort[]) => ({
  id,
  segmentId: 4096 + subnet,
  cidr: `10.${subnet}.0.0/24`,
  gateway: `10.${subnet}.0.1`,
  dnsDomain: 'shop.internal',
  mtu: 1400,
  ports,
  otherNames: [],
});

/** What both groups allow; `dbRules`: into the database. */
const groups = (dbRules: HostSecurityGroup['rules']): HostSecurityGroup[] => [
  {
    id: WEB,
    rules: [EVERYTHING_OUT, { ...ANY, direction: 'ingress', protocol: 'tcp', portMin: 80, portMax: 80 }],
    members: [PORTS.web, PORTS.other].map(({ address }) => ({ networkId: OVERLAY, address })),
  },
  { id: DB, rules: [EVERYTHING_OUT, ...dbRules], members: [{ networkId: OVERLAY, address: PORTS.db.address }] },
];
const desiredOfA = (): DesiredNetworks => ({
  hostAddress: '10.99.0.1',
  networks: [
    {
      ...network(OVERLAY, 20, [PORTS.web, PORTS.other]),
      kind: 'vxlan',
      peers: ['10.99.0.2'],
      otherNames: [{ name: 'db', address: PORTS.db.address }],
    },
    { ...network(LOST, 50, []), kind: 'bridge', uplink: 'absent', vlanId: null },
    { ...network(NAT, 30, [PORTS.nat]), kind: 'nat' },
    { ...network(WIRE, 40, [PORTS.lan]), kind: 'bridge', uplink: 'lan', vlanId: null },
  ],
  securityGroups: groups([]),
  resolvers: [],
});
const desiredOfB = (dbRules: HostSecurityGroup['rules'] = []): DesiredNetworks => ({
  hostAddress: '10.99.0.2',
  networks: [{ ...network(OVERLAY, 20, [PORTS.db]), kind: 'vxlan', peers: ['10.99.0.1'] }],
  securityGroups: groups(dbRules),
  resolvers: [],
});
const INTO_DB = { ...ANY, direction: 'ingress', protocol: 'tcp', portMin: 5432, portMax: 5432 } as const;

describe.skipIf(!isRoot)('guests on two hosts', () => {
  const machines: Machine[] = [];
  const stateDirs: string[] = [];
  let a: Machine;
  let b: Machine;
  /** A machine on the wire, which knows nothing of Kvorum. */
  let outside: Machine;
  let before: string[];
  const guests: Partial<Record<keyof typeof PORTS, Machine>> = {};
  const guest = (name: keyof typeof PORTS): Machine => guests[name] as Machine;

  const machine = async (): Promise<Machine> => {
    const made = await openMachine();
    machines.push(made);
    return made;
  };
  const stateDir = (): string => {
    const folder = mkdtempSync(join(tmpdir(), 'kvorum-net-'));
    chmodSync(folder, 0o755);
    stateDirs.push(folder);
    return folder;
  };
  const apply = (host: Machine, desired: DesiredNetworks) =>
    applyNetworks(desired, { run: host.run, stateDir: stateDirs[host === a ? 0 : 1] as string });
  /** All of the host that others can see. */
  const traces = async (host: Machine): Promise<string[]> => [
    ...(await host.run(['ip', '-br', 'link'])).split('\n').map((line) => line.split(/[ @]/)[0] ?? ''),
    await host.run(['ip', '-4', '-br', 'address']),
    await host.run(['ip', '-4', 'route', 'show', 'table', 'all']),
    await host.run(['nft', 'list', 'ruleset']),
    await host.run(['ip', 'netns', 'list']),
  ];

  /** A guest's cable in place of the tap that its VM would have: the end on the host has the tap's name. */
  const plug = async (host: Machine, name: keyof typeof PORTS): Promise<void> => {
    const { id, macAddress } = PORTS[name];
    const made = await machine();
    guests[name] = made;
    const peer = ['peer', 'name', 'eth0', 'address', macAddress, 'netns', String(made.pid)];
    await host.run(['ip', 'link', 'add', linkName('tap', id), 'type', 'veth', ...peer]);
    await made.run(['ip', 'link', 'set', 'eth0', 'mtu', '1400', 'up']);
    await made.run(['ip', 'route', 'add', '255.255.255.255', 'dev', 'eth0']);
  };
  const configure = async (name: keyof typeof PORTS): Promise<void> => {
    const { address } = PORTS[name];
    await guest(name).run(['ip', 'address', 'add', `${address}/24`, 'dev', 'eth0']);
    await guest(name).run(['ip', 'route', 'add', 'default', 'via', address.replace(/\d+$/, '1')]);
  };

  beforeAll(async () => {
    [a, b] = [await machine(), await machine()];
    await a.run(['ip', 'link', 'add', 'wire', 'type', 'veth', 'peer', 'name', 'wire', 'netns', String(b.pid)]);
    for (const [host, address] of [
      [a, '10.99.0.1/24'],
      [b, '10.99.0.2/24'],
    ] as const) {
      await host.run(['ip', 'address', 'add', address, 'dev', 'wire']);
      await host.run(['ip', 'link', 'set', 'wire', 'up']);
      stateDir();
    }
    outside = await machine();
    const lan = ['peer', 'name', 'lan', 'netns', String(outside.pid)];
    await a.run(['ip', 'link', 'add', 'lan', 'type', 'veth', ...lan]);
    await outside.run(['ip', 'address', 'add', '10.40.0.1/24', 'dev', 'lan']);
    await outside.run(['ip', 'link', 'set', 'lan', 'up']);
    before = await traces(a);
    for (const name of ['web', 'other', 'nat', 'lan'] as const) await plug(a, name);
    await plug(b, 'db');
    await apply(a, desiredOfA());
    await apply(b, desiredOfB());
  });
  afterAll(async () => {
    for (const host of [a, b]) await apply(host, NOTHING).catch(() => undefined);
    for (const one of machines) one.end();
    for (const folder of stateDirs) rmSync(folder, { recursive: true, force: true });
  });

  it('get their addresses by DHCP, with gateway, name server and MTU, and nobody else gets any', async () => {
    const ask = (name: keyof typeof PORTS, macAddress = PORTS[name].macAddress, waitMs = 20_000) =>
      guest(name).program('ask-dhcp.mjs', macAddress, String(waitMs));
    const gateway = [10, 20, 0, 1];
    expect(JSON.parse(await ask('web'))).toMatchObject({
      address: PORTS.web.address,
      options: { 1: [255, 255, 255, 0], 3: gateway, 6: gateway, 26: [5, 120] },
    });
    expect(JSON.parse(await ask('db'))).toMatchObject({ address: PORTS.db.address });
    expect(await ask('other', '52:54:00:00:00:99', 2_500)).toBe('null');
    for (const name of ['web', 'other', 'db', 'nat', 'lan'] as const) await configure(name);
    await Promise.all([
      guest('web').start('serve-tcp.mjs', '80', '81'),
      guest('other').start('serve-tcp.mjs', '80'),
      guest('db').start('serve-tcp.mjs', '5432'),
      b.start('serve-tcp.mjs', '7000'),
      outside.start('serve-tcp.mjs', '80'),
      guest('lan').start('serve-tcp.mjs', '80'),
    ]);
  });

  it('know the names of all ports of their network, on any host', async () => {
    const ask = (name: string) => guest('web').program('ask-dns.mjs', '10.20.0.1', name);
    expect(await ask('other.shop.internal')).toBe(PORTS.other.address);
    expect(await ask('db.shop.internal')).toBe(PORTS.db.address);
    expect(await ask('nobody.shop.internal')).toBe('ENOTFOUND');
  });

  it('reach what a group allows, on the same host and over the overlay, and nothing else', async () => {
    expect(await guest('other').reach(PORTS.web.address, 80)).toBe(PORTS.other.address);
    expect(await guest('db').reach(PORTS.web.address, 80)).toBe(PORTS.db.address);
    expect(await guest('db').probe(PORTS.web.address, 81)).toBe('nothing');
    expect(await guest('other').probe(PORTS.web.address, 81)).toBe('nothing');
    expect(await guest('web').probe(PORTS.db.address, 5432)).toBe('nothing');
  });

  it('reach a port once it is allowed, by range or by group, and not any more once it is not', async () => {
    const allow = (rules: HostSecurityGroup['rules']) => apply(b, desiredOfB(rules));
    await allow([{ ...INTO_DB, cidr: '10.20.0.11/32' }]);
    expect(await guest('web').reach(PORTS.db.address, 5432)).toBe(PORTS.web.address);
    expect(await guest('other').probe(PORTS.db.address, 5432)).toBe('nothing');
    await allow([{ ...INTO_DB, peerGroupId: WEB }]);
    expect(await guest('other').reach(PORTS.db.address, 5432)).toBe(PORTS.other.address);
    await allow([]);
    expect(await guest('web').probe(PORTS.db.address, 5432)).toBe('nothing');
  });

  it('get nowhere with an address or a MAC address of others', async () => {
    const other = guest('other');
    const [web, own, wrong] = [PORTS.web.address, PORTS.other.address, '10.20.0.77'];
    /** By each rule of the guard that drops, in its order. */
    const dropped = async (): Promise<number[]> => {
      const chain = await a.run(['nft', 'list', 'chain', 'bridge', 'kvorum', 'from_port']);
      return [...chain.matchAll(/counter packets (\d+)/g)].map(([, count]) => Number(count));
    };
    await apply(a, desiredOfA());
    const [macs, addresses] = [0, 2];
    await other.run(['ip', 'address', 'add', `${wrong}/24`, 'dev', 'eth0']);
    expect(await other.probe(web, 80, wrong)).toBe('nothing');
    expect((await dropped())[addresses]).toBeGreaterThan(0);
    expect((await dropped())[macs]).toBe(0);
    expect(await other.reach(web, 80, own)).toBe(own);
    await other.run(['ip', 'link', 'set', 'eth0', 'address', '52:54:00:00:00:77']);
    expect(await other.probe(web, 80, own)).toBe('nothing');
    expect((await dropped())[macs]).toBeGreaterThan(0);
    await other.run(['ip', 'link', 'set', 'eth0', 'address', PORTS.other.macAddress]);
    await other.run(['ip', 'address', 'delete', `${wrong}/24`, 'dev', 'eth0']);
    expect(await other.reach(web, 80)).toBe(own);
  });

  it.each(['egressBitsPerSecond', 'ingressBitsPerSecond'] as const)('are not faster than their %s', async (limit) => {
    const bytesPerSecond = 1_000_000;
    const [byteCount, atOnceBytes] = [3_000_000, bytesPerSecond + 262_144];
    const desired = desiredOfA();
    const rules = [
      EVERYTHING_OUT,
      { ...ANY, direction: 'ingress', protocol: 'tcp', portMin: 9000, portMax: 9001 } as const,
    ];
    const limited = limit === 'egressBitsPerSecond' ? PORTS.other : PORTS.web;
    const ports = [PORTS.web, PORTS.other].map((one) => ({
      ...one,
      ...(one === limited ? { [limit]: bytesPerSecond * 8 } : {}),
    }));
    const sinkPort = limit === 'egressBitsPerSecond' ? 9000 : 9001;
    await apply(a, {
      ...desired,
      networks: desired.networks.map((one) => (one.id === OVERLAY ? { ...one, ports } : one)),
      securityGroups: desired.securityGroups.map((group) => (group.id === WEB ? { ...group, rules } : group)),
    });
    await guest('web').start('sink-tcp.mjs', String(sinkPort));
    const sent = JSON.parse(
      await guest('other').program('send-tcp.mjs', PORTS.web.address, String(sinkPort), String(byteCount)),
    );
    expect(sent.byteCount).toBe(byteCount);
    // Never less: of all that arrived, the limit let no more through at once than a second's worth and a burst.
    expect(sent.tookMs).toBeGreaterThan(((byteCount - atOnceBytes) / bytesPerSecond) * 1000);
    await apply(a, desiredOfA());
  });

  it('of a NAT network go out under the address of their host, and are reached by nobody', async () => {
    expect(await guest('nat').reach('10.99.0.2', 7000)).toBe('10.99.0.1');
    expect(await guest('web').probe(PORTS.nat.address, 80)).toBe('nothing');
  });

  it('on a wire of the host reach what is there, and are guarded as everywhere', async () => {
    expect(await guest('lan').reach('10.40.0.1', 80)).toBe(PORTS.lan.address);
    expect(await outside.probe(PORTS.lan.address, 80)).toBe('nothing');
  });

  it('have their networks although the wire of another is not there, which is said', async () => {
    expect(await apply(a, desiredOfA())).toEqual([
      {
        networkId: LOST,
        error: expect.objectContaining({ code: 'host_fault', message: expect.stringContaining('absent') }),
      },
    ]);
  });

  it('stay connected when the same is applied again, and no command makes anything new', async () => {
    const commands: string[] = [];
    const run = (command: readonly string[], input?: string) => {
      commands.push(command.join(' '));
      return a.run(command, input);
    };
    await applyNetworks(desiredOfA(), { run, stateDir: stateDirs[0] as string });
    expect(commands.filter((command) => / (add|append|delete|master|dnsmasq) /.test(`${command} `))).toEqual([]);
    expect(await guest('db').reach(PORTS.web.address, 80)).toBe(PORTS.db.address);
  });

  it('leave no trace on the host when they are gone', async () => {
    await apply(a, NOTHING);
    expect(await traces(a)).toEqual(before);
    const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
    expect(processes).not.toContain(stateDirs[0]);
  });
});
