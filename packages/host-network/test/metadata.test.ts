import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyNetworks } from '../src/apply-networks.js';
import type { DesiredNetworks, HostNetwork, HostPort } from '../src/desired-networks.js';
import type { Instance } from '../src/metadata/answer-metadata.js';
import { MetadataServer } from '../src/metadata/metadata-server.js';
import { linkName } from '../src/object-names.js';
import { type Machine, openMachine } from './namespaces.js';

/** One host and guests on it, all of them network namespaces. Two networks have the same addresses. */
const isRoot = process.getuid?.() === 0;
const idOf = (last: number): string => `019a0000-0000-7000-8000-${String(last).padStart(12, '0')}`;
const [OVERLAY, NAT, CLOSED] = [1, 2, 3].map(idOf) as [string, string, string];

const port = (last: number, address: string, securityGroupIds: string[] = []): HostPort => ({
  ...{ id: idOf(last), name: null, address, securityGroupIds },
  macAddress: `52:54:00:00:00:${last}`,
  ...{ ingressBitsPerSecond: null, egressBitsPerSecond: null, floatingAddress: null },
});
const PORTS = {
  web: port(11, '10.20.0.11', [CLOSED]),
  other: port(12, '10.20.0.12'),
  twin: port(13, '10.20.0.11'),
  bare: port(14, '10.20.0.14'),
};
type Guest = keyof typeof PORTS;
const NETWORK_OF: Record<Guest, string> = { web: OVERLAY, other: OVERLAY, twin: NAT, bare: OVERLAY };

const basics = (id: string, segmentId: number, ports: HostPort[]) => ({
  ...{ id, segmentId, ports, cidr: '10.20.0.0/24', gateway: '10.20.0.1', mtu: 1400 },
  ...{ dnsDomain: 'shop.internal', otherNames: [] },
});
const desired = (networks: HostNetwork[]): DesiredNetworks => ({
  ...{ hostAddress: '10.99.0.1', resolvers: [], networks },
  // It lets nothing through: who a guest is, it may always ask.
  securityGroups: networks.length === 0 ? [] : [{ id: CLOSED, rules: [], members: [] }],
});
const OVERLAY_NETWORK: HostNetwork = {
  ...basics(OVERLAY, 4097, [PORTS.web, PORTS.other, PORTS.bare]),
  ...{ kind: 'vxlan', peers: [] },
};
const NAT_NETWORK: HostNetwork = { ...basics(NAT, 4098, [PORTS.twin]), kind: 'nat' };

const instanceOf = (name: string, { macAddress, address }: HostPort): Instance => ({
  ...{ instanceId: `i-${name}`, hostname: name, sshAuthorizedKeys: [], macAddress, address },
  userData: `secret of ${name}`,
});

describe.skipIf(!isRoot)('the metadata address', () => {
  const machines: Machine[] = [];
  const guests: Partial<Record<Guest, Machine>> = {};
  const guest = (name: Guest): Machine => guests[name] as Machine;
  let host: Machine;
  let service: MetadataServer;
  let stateDir: string;

  const machine = async (): Promise<Machine> => {
    const made = await openMachine();
    machines.push(made);
    return made;
  };
  const apply = (networks: HostNetwork[]) =>
    applyNetworks(desired(networks), { run: host.run, stateDir, metadata: service });
  const ask = async (name: Guest, ...args: string[]) =>
    JSON.parse(await guest(name).program('ask-metadata.mjs', ...args));

  beforeAll(async () => {
    stateDir = mkdtempSync(join(tmpdir(), 'kvorum-metadata-'));
    chmodSync(stateDir, 0o755);
    host = await machine();
    await host.run(['ip', 'address', 'add', '10.99.0.1/32', 'dev', 'lo']);
    service = new MetadataServer(['nsenter', '--target', String(host.pid), '--net', '--mount']);
    service.answerBy((networkId, address) => {
      const found = (Object.keys(PORTS) as Guest[]).find(
        (name) => name !== 'bare' && NETWORK_OF[name] === networkId && PORTS[name].address === address,
      );
      return found === undefined ? null : instanceOf(found, PORTS[found]);
    });
    // A guest's cable in place of the tap that its VM would have.
    for (const name of Object.keys(PORTS) as Guest[]) {
      const { id, macAddress, address } = PORTS[name];
      const made = await machine();
      guests[name] = made;
      const peer = ['peer', 'name', 'eth0', 'address', macAddress, 'netns', String(made.pid)];
      await host.run(['ip', 'link', 'add', linkName('tap', id), 'type', 'veth', ...peer]);
      await made.run(['ip', 'link', 'set', 'eth0', 'up']);
      await made.run(['ip', 'address', 'add', `${address}/24`, 'dev', 'eth0']);
      await made.run(['ip', 'route', 'add', '169.254.169.254', 'via', '10.20.0.1']);
    }
    expect(await apply([OVERLAY_NETWORK, NAT_NETWORK])).toEqual([]);
  });
  afterAll(() => {
    service?.closeOthers(() => false);
    for (const each of machines) each.end();
    if (stateDir !== undefined) rmSync(stateDir, { recursive: true, force: true });
  });

  it('tells each guest of itself alone, also two with the same address', async () => {
    const paths = ['/latest/meta-data/local-hostname', '/latest/user-data', '/latest/meta-data/mac'];
    for (const name of ['web', 'other', 'twin'] as const) {
      expect(await ask(name, ...paths)).toEqual([
        [200, name],
        [200, `secret of ${name}`],
        [200, PORTS[name].macAddress],
      ]);
    }
  });

  it('tells nothing without a token, nothing to a guest of which nothing is kept, and nothing to one with a false address', async () => {
    expect(await ask('web')).toMatchObject([[401, expect.any(String)]]);
    expect(await ask('bare', '/latest/user-data')).toMatchObject([[404, expect.any(String)]]);
    await guest('bare').run(['ip', 'address', 'add', '10.20.0.11/24', 'dev', 'eth0']);
    expect(await ask('bare', '10.20.0.11', '/latest/user-data')).toEqual(['nothing']);
  });

  it('is reached from its own network alone', async () => {
    // A way that no host has by itself.
    await host.run(['ip', 'route', 'add', '169.254.169.254', 'via', '100.64.32.5', 'dev', linkName('uplink', NAT)]);
    expect(await host.program('ask-metadata.mjs', '/latest/user-data')).toBe('["nothing"]');
    await host.run(['ip', 'route', 'delete', '169.254.169.254']);
  });

  it('answers again after a guest has opened more connections than it may, and sent what is no request', async () => {
    await guest('other').program('hold-connections.mjs', '169.254.169.254', '80', '20');
    expect(await ask('web', '/latest/meta-data/local-hostname')).toEqual([[200, 'web']]);
  });

  it('is served on when its networks are made again, and ends with its network', async () => {
    expect(await apply([OVERLAY_NETWORK, NAT_NETWORK])).toEqual([]);
    expect(await ask('web', '/latest/meta-data/local-hostname')).toEqual([[200, 'web']]);
    expect(await apply([NAT_NETWORK])).toEqual([]);
    expect(await host.run(['ip', 'netns', 'list'])).not.toContain(OVERLAY);
    expect(await ask('twin', '/latest/meta-data/local-hostname')).toEqual([[200, 'twin']]);
    expect(await apply([])).toEqual([]);
    expect(await host.run(['ip', 'netns', 'list'])).toBe('');
  });
});
