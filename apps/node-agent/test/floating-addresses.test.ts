import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  applyNetworks,
  type DesiredNetworks,
  FloatingAnnouncer,
  type HostNetwork,
  type HostPort,
  linkName,
} from '@kvorum/host-network';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Machine, openMachine } from '../../../packages/host-network/test/namespaces.js';

/**
 * Two hosts and a machine of the world outside on one wire, and guests of NAT networks on the hosts, all of them network namespaces that
 * end with the test. Needs root, as the agent has it on a host, and the driver's build for what is sent as raw frames.
 */
const isRoot = process.getuid?.() === 0;
const idOf = (last: number): string => `019a0000-0000-7000-8000-${String(last).padStart(12, '0')}`;
const [SHOP, OFFICE, OPEN] = [1, 2, 3].map(idOf) as [string, string, string];
const [OUTSIDE, ADDRESS, OTHER_ADDRESS] = ['203.0.113.1', '203.0.113.77', '203.0.113.78'];
const FOREIGN_SCRIPT = '../../../apps/node-agent/test/announce-addresses.mjs';
const ANY = { protocol: 'any', portMin: null, portMax: null, cidr: null, peerGroupId: null } as const;
const OUT = { ...ANY, direction: 'egress' } as const;
const WEB_FROM_OUTSIDE = {
  ...ANY,
  direction: 'ingress',
  protocol: 'tcp',
  portMin: 80,
  portMax: 89,
  cidr: `${OUTSIDE}/32`,
} as const;
const WEB_FROM_ALL = { ...WEB_FROM_OUTSIDE, cidr: null } as const;
type Rules = readonly (typeof OUT | typeof WEB_FROM_OUTSIDE | typeof WEB_FROM_ALL)[];

const port = (last: number, address: string, groups: string[]): HostPort => ({
  ...{ id: idOf(last), name: null, address, securityGroupIds: groups, floatingAddress: null },
  ...{ macAddress: `52:54:00:00:00:${last}`, ingressBitsPerSecond: null, egressBitsPerSecond: null },
});
const PORTS = {
  one: port(11, '10.30.0.11', [OPEN]),
  two: port(12, '10.30.0.12', [OPEN]),
  /** Of another project, with the same addresses. */
  clerk: port(13, '10.30.0.11', []),
};
/** What tells who answers. */
const OWN_PORT = { one: 81, two: 82, clerk: 83, moved: 84 };
const network = (id: string, segmentId: number, ports: HostPort[]): HostNetwork => ({
  ...{ id, segmentId, ports, kind: 'nat', cidr: '10.30.0.0/24', gateway: '10.30.0.1', mtu: 1400 },
  ...{ dnsDomain: 'shop.internal', otherNames: [] },
});
const desired = (networks: HostNetwork[], rules: Rules): DesiredNetworks => ({
  ...{ hostAddress: null, resolvers: [], networks },
  securityGroups: networks.length === 0 ? [] : [{ id: OPEN, rules: [...rules], members: [] }],
});
const floating = (one: HostPort, floatingAddress: string | null): HostPort => ({ ...one, floatingAddress });
/** On the first host. `owner`: who has the address. */
const onA = (owner: 'one' | 'two' | null, rules: Rules = [OUT, WEB_FROM_OUTSIDE], clerk: string | null = null) => {
  const ports = (['one', 'two'] as const).map((name) => floating(PORTS[name], owner === name ? ADDRESS : null));
  return desired([network(SHOP, 4097, ports), network(OFFICE, 4098, [floating(PORTS.clerk, clerk)])], rules);
};
const onB = (address: string | null) =>
  desired([network(SHOP, 4097, [floating(PORTS.one, address)])], [OUT, WEB_FROM_OUTSIDE]);
const NOTHING = desired([], []);

describe.skipIf(!isRoot)('a floating address', () => {
  const machines: Machine[] = [];
  let folder: string;
  let [a, b, outside, one, two, clerk, moved] = [] as unknown as Machine[] as [
    Machine,
    Machine,
    Machine,
    Machine,
    Machine,
    Machine,
    Machine,
  ];
  let before: string[];
  const announcers = new Map<Machine, FloatingAnnouncer>();

  const machine = async (): Promise<Machine> => {
    const made = await openMachine();
    machines.push(made);
    return made;
  };
  const announcerOf = (host: Machine): FloatingAnnouncer => {
    const known = announcers.get(host);
    if (known !== undefined) return known;
    const made = new FloatingAnnouncer(async (name, addresses) => {
      await host.program(FOREIGN_SCRIPT, name, ...addresses);
    });
    announcers.set(host, made);
    return made;
  };
  const optionsOf = (host: Machine) => ({
    run: host.run,
    stateDir: join(folder, host === a ? 'a' : 'b'),
    floating: { interfaceName: 'wan', announcer: announcerOf(host) },
  });
  const apply = (host: Machine, wanted: DesiredNetworks) => applyNetworks(wanted, optionsOf(host));
  const traces = async (host: Machine): Promise<string[]> => [
    await host.run(['ip', '-br', 'link']),
    await host.run(['ip', '-4', '-br', 'address']),
    await host.run(['ip', '-4', 'route', 'show', 'table', 'all']),
    await host.run(['ip', 'neigh', 'show', 'proxy']),
    await host.run(['nft', 'list', 'ruleset']),
    await host.run(['ip', 'netns', 'list']),
  ];
  /** A guest's cable in place of the tap that its VM would have. */
  const plug = async (host: Machine, { id, macAddress, address }: HostPort): Promise<Machine> => {
    const made = await machine();
    const peer = ['peer', 'name', 'eth0', 'address', macAddress, 'netns', String(made.pid)];
    await host.run(['ip', 'link', 'add', linkName('tap', id), 'type', 'veth', ...peer]);
    await made.run(['ip', 'link', 'set', 'eth0', 'mtu', '1400', 'up']);
    await made.run(['ip', 'address', 'add', `${address}/24`, 'dev', 'eth0']);
    await made.run(['ip', 'route', 'add', 'default', 'via', '10.30.0.1']);
    return made;
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'kvorum-float-'));
    chmodSync(folder, 0o755);
    outside = await machine();
    a = await machine();
    b = await machine();
    await outside.run(['ip', 'link', 'add', 'lan', 'type', 'bridge']);
    await outside.run(['ip', 'address', 'add', `${OUTSIDE}/24`, 'dev', 'lan']);
    await outside.run(['ip', 'link', 'set', 'lan', 'up']);
    for (const [host, name, address] of [
      [a, 'to-a', '203.0.113.10/24'],
      [b, 'to-b', '203.0.113.11/24'],
    ] as const) {
      const peer = ['peer', 'name', 'wan', 'netns', String(host.pid)];
      await outside.run(['ip', 'link', 'add', name, 'type', 'veth', ...peer]);
      await outside.run(['ip', 'link', 'set', name, 'master', 'lan', 'up']);
      await host.run(['ip', 'address', 'add', address, 'dev', 'wan']);
      await host.run(['ip', 'link', 'set', 'wan', 'up']);
    }
    before = await traces(a);
    one = await plug(a, PORTS.one);
    two = await plug(a, PORTS.two);
    clerk = await plug(a, PORTS.clerk);
    moved = await plug(b, PORTS.one);
    await Promise.all([
      one.start('serve-tcp.mjs', '80', String(OWN_PORT.one)),
      one.start('echo-tcp.mjs', '89'),
      two.start('serve-tcp.mjs', '80', String(OWN_PORT.two)),
      clerk.start('serve-tcp.mjs', '80', String(OWN_PORT.clerk)),
      moved.start('serve-tcp.mjs', '80', String(OWN_PORT.moved)),
      outside.start('serve-tcp.mjs', '7000'),
    ]);
  });
  afterAll(async () => {
    for (const host of [a, b]) await apply(host, NOTHING).catch(() => undefined);
    for (const each of machines) each.end();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is nobody before it is a port’s', async () => {
    expect(await apply(a, onA(null))).toEqual([]);
    expect(await outside.probe(ADDRESS, 80)).toBe('nothing');
    expect(await one.reach(OUTSIDE, 7000)).toBe('203.0.113.10');
  });

  it('leads from outside to its port, which sees who asks, and is what the port is seen as outside', async () => {
    expect(await apply(a, onA('one'))).toEqual([]);
    expect(await outside.reach(ADDRESS, OWN_PORT.one)).toBe(OUTSIDE);
    expect(await one.reach(OUTSIDE, 7000)).toBe(ADDRESS);
    expect(await two.reach(OUTSIDE, 7000)).toBe('203.0.113.10');
  });

  it('opens and closes by the security groups of its port', async () => {
    await apply(a, onA('one', [OUT]));
    expect(await outside.probe(ADDRESS, 80)).toBe('nothing');
    await apply(a, onA('one'));
    expect(await outside.reach(ADDRESS, 80)).toBe(OUTSIDE);
  });

  it('is reached from networks of the same host too, which else reach nothing of each other', async () => {
    await apply(a, onA('one', [OUT, WEB_FROM_ALL]));
    expect(await clerk.reach(ADDRESS, OWN_PORT.one)).toMatch(/^100\.64\./);
    expect(await a.reach(ADDRESS, OWN_PORT.one)).toMatch(/^100\.64\./);
    expect(await two.reach(ADDRESS, OWN_PORT.one)).toBe('10.30.0.1');
    expect(await one.reach(ADDRESS, OWN_PORT.one)).toBe('10.30.0.1');
    await apply(a, onA('one', [OUT, WEB_FROM_ALL], OTHER_ADDRESS));
    expect(await clerk.reach(ADDRESS, OWN_PORT.one)).toBe(OTHER_ADDRESS);
    // Both networks have the same addresses: what is behind the other's gateway is not the way there.
    expect(await outside.probe('10.30.0.11', 80)).toBe('nothing');
    await apply(a, onA('one'));
    expect(await clerk.probe(ADDRESS, 80)).toBe('nothing');
  });

  it('goes over to another port at once, also what was connected before', async () => {
    const file = join(folder, 'echoes');
    await outside.start('talk-tcp.mjs', ADDRESS, '89', file);
    await apply(a, onA('two'));
    expect(await outside.reach(ADDRESS, OWN_PORT.two)).toBe(OUTSIDE);
    expect(await outside.probe(ADDRESS, OWN_PORT.one)).toBe('nothing');
    const echoes = readFileSync(file, 'utf8');
    expect(await two.reach(OUTSIDE, 7000)).toBe(ADDRESS);
    expect(await one.reach(OUTSIDE, 7000)).toBe('203.0.113.10');
    expect(await outside.probe(ADDRESS, OWN_PORT.one)).toBe('nothing');
    expect(readFileSync(file, 'utf8')).toBe(echoes);
  });

  it('goes over to another host, and its neighbours learn of it without asking', async () => {
    await apply(b, onB(null));
    await apply(a, onA('one'));
    expect(await outside.reach(ADDRESS, OWN_PORT.one)).toBe(OUTSIDE);
    const macAddress = async (host: Machine) => {
      const [link] = JSON.parse(await host.run(['ip', '-json', 'link', 'show', 'wan'])) as { address: string }[];
      return link?.address;
    };
    const known = async () => (await outside.run(['ip', 'neigh', 'show', ADDRESS])).split(' ')[4];
    expect(await known()).toBe(await macAddress(a));
    await apply(a, onA(null));
    await apply(b, onB(ADDRESS));
    await expect.poll(known, { timeout: 5_000 }).toBe(await macAddress(b));
    expect(await outside.reach(ADDRESS, OWN_PORT.moved)).toBe(OUTSIDE);
    expect(await moved.reach(OUTSIDE, 7000)).toBe(ADDRESS);
    await apply(b, NOTHING);
  });

  it('is not made anew when the same is applied again', async () => {
    await apply(a, onA('one'));
    const announcer = { ensure: vi.fn(async () => undefined) };
    const commands: string[] = [];
    const run = (command: readonly string[], input?: string) => {
      commands.push(command.join(' '));
      return a.run(command, input);
    };
    await applyNetworks(onA('one'), { ...optionsOf(a), run, floating: { interfaceName: 'wan', announcer } });
    expect(commands.filter((command) => /^ip (-4 )?(route|neigh) /.test(command))).toEqual([]);
    expect(announcer.ensure.mock.calls).toEqual([['wan', [ADDRESS]]]);
  });

  it('is refused by a host that has no interface for it, or has the address itself, and its network is named', async () => {
    const { floating: _, ...without } = optionsOf(a);
    const faultOf = async (wanted: DesiredNetworks, options: object) =>
      (await applyNetworks(wanted, { ...optionsOf(a), ...options })).map(({ networkId, error }) => [
        networkId,
        error.message,
      ]);
    expect(await applyNetworks(onA('one'), without)).toEqual([
      { networkId: SHOP, error: expect.objectContaining({ code: 'host_fault' }) },
    ]);
    expect(await a.run(['ip', 'neigh', 'show', 'proxy'])).toBe('');
    const own = desired([network(SHOP, 4097, [floating(PORTS.one, '203.0.113.10')])], []);
    expect(await faultOf(own, {})).toEqual([
      [SHOP, 'floating address 203.0.113.10 is an address of this host; take it out of its range'],
    ]);
  });

  it('leaves nothing on a host that has it no more', async () => {
    await apply(a, onA('one'));
    await apply(a, NOTHING);
    expect(await traces(a)).toEqual(before);
  });
});
