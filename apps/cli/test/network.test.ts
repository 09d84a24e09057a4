import type { Network, Port, SecurityGroup } from '@kvorum/client';
import { describe, expect, it } from 'vitest';
import { openDouble, page } from './double.js';
import { AT, idOf } from './shapes.js';

const NETWORK: Network = {
  id: idOf(20),
  projectId: idOf(9),
  name: 'shop',
  kind: 'vxlan',
  cidr: '10.20.0.0/24',
  gateway: '10.20.0.1',
  dnsDomain: 'shop.internal',
  mtu: 1450,
  uplink: null,
  vlanId: null,
  vni: 4096,
  portCount: 1,
  generation: 1,
  createdAt: AT,
  updatedAt: AT,
};
const PORT: Port = {
  id: idOf(21),
  networkId: idOf(20),
  projectId: idOf(9),
  vmId: null,
  name: 'web-1',
  macAddress: '52:54:00:00:00:01',
  address: '10.20.0.2',
  securityGroupIds: [],
  ingressBitsPerSecond: null,
  egressBitsPerSecond: 2_500_000_000,
  generation: 1,
  createdAt: AT,
  updatedAt: AT,
};
const ANY = {
  direction: 'ingress',
  protocol: 'any',
  portMin: null,
  portMax: null,
  cidr: null,
  peerGroupId: null,
} as const;
const GROUP: SecurityGroup = {
  id: idOf(22),
  projectId: idOf(9),
  name: 'web',
  description: '',
  rules: [
    { ...ANY, protocol: 'tcp', portMin: 80, portMax: 81, cidr: '192.0.2.0/24' },
    { ...ANY, direction: 'egress' },
  ],
  generation: 1,
  createdAt: AT,
  updatedAt: AT,
};
const made = (body: unknown) => ({ status: 201, body });

describe('kvorum network', () => {
  it('makes one of what is said, and shows what it got', async () => {
    const { run, calls } = await openDouble({ 'POST /v1/networks': made(NETWORK) });
    const { stdout } = await run('network create shop --cidr 10.20.0.0/24 --kind vxlan');
    expect(calls[0]?.body).toEqual({ name: 'shop', cidr: '10.20.0.0/24', kind: 'vxlan' });
    expect(calls[0]?.headers['idempotency-key']).toBeDefined();
    expect(stdout).toMatchInlineSnapshot(`
      "name     shop
      id       019a0000-0000-7000-8000-000000000020
      project  019a0000-0000-7000-8000-000000000009
      kind     vxlan
      wire     VNI 4096
      range    10.20.0.0/24
      gateway  10.20.0.1
      domain   shop.internal
      MTU      1450
      ports    1
      created  2026-01-02T03:04:05.000Z
      changed  2026-01-02T03:04:05.000Z
      "
    `);
  });

  it('takes a wire with its VLAN', async () => {
    const { run, calls } = await openDouble({ 'POST /v1/networks': made(NETWORK) });
    await run('network create lan --cidr 192.168.7.0/24 --kind bridge --uplink eth1 --vlan 7 --mtu 9000 --domain a.b');
    expect(calls[0]?.body).toMatchObject({ uplink: 'eth1', vlanId: 7, mtu: 9000, dnsDomain: 'a.b' });
  });

  it('lists, changes and deletes by name', async () => {
    const at = `/v1/networks/${NETWORK.id}`;
    const { run, calls } = await openDouble({
      'GET /v1/networks': page(NETWORK),
      [`PATCH ${at}`]: { status: 200, body: NETWORK },
      [`DELETE ${at}`]: { status: 204 },
    });
    expect((await run('network list')).stdout).toMatchInlineSnapshot(`
      "NAME  KIND   RANGE         GATEWAY    PORTS  ID
      shop  vxlan  10.20.0.0/24  10.20.0.1  1      019a0000-0000-7000-8000-000000000020
      "
    `);
    await run('network update shop --domain x.internal');
    expect(calls.at(-1)?.body).toEqual({ dnsDomain: 'x.internal' });
    expect((await run('network delete shop')).stderr).toBe('deleted network shop\n');
    expect(calls.at(-1)?.call).toBe(`DELETE ${at}`);
  });
});

describe('kvorum port', () => {
  const routes = {
    'GET /v1/networks': page(NETWORK),
    'GET /v1/security-groups': page(GROUP),
    [`GET /v1/networks/${NETWORK.id}/ports`]: page(PORT),
    [`POST /v1/networks/${NETWORK.id}/ports`]: made(PORT),
    [`PATCH /v1/ports/${PORT.id}`]: { status: 200, body: PORT },
    [`DELETE /v1/ports/${PORT.id}`]: { status: 204 },
  };

  it('makes one on a network, with groups by name', async () => {
    const { run, calls } = await openDouble(routes);
    const { stdout } = await run('port create shop --name web-1 --group web --mac 52:54:00:00:00:01');
    expect(calls.at(-1)?.body).toEqual({
      name: 'web-1',
      macAddress: '52:54:00:00:00:01',
      securityGroupIds: [GROUP.id],
    });
    expect(stdout).toMatchInlineSnapshot(`
      "name              web-1
      id                019a0000-0000-7000-8000-000000000021
      network           019a0000-0000-7000-8000-000000000020
      address           10.20.0.2
      MAC address       52:54:00:00:00:01
      VM                -
      security groups   none: nobody may talk to it, and it may talk to all
      receives at most  not limited
      sends at most     2.5 Gbit/s
      created           2026-01-02T03:04:05.000Z
      changed           2026-01-02T03:04:05.000Z
      "
    `);
  });

  it('lists those of a network', async () => {
    const { run } = await openDouble(routes);
    expect((await run('port list shop')).stdout).toMatchInlineSnapshot(`
      "NAME   ADDRESS    MAC ADDRESS        GROUPS  VM  ID
      web-1  10.20.0.2  52:54:00:00:00:01  0       -   019a0000-0000-7000-8000-000000000021
      "
    `);
    expect(JSON.parse((await run('port list shop -o json')).stdout).items).toEqual([PORT]);
  });

  it('is found by NETWORK/PORT, gets other groups, loses them, and is deleted', async () => {
    const { run, calls } = await openDouble(routes);
    await run('port update shop/web-1 --group web');
    expect(calls.at(-1)?.body).toEqual({ securityGroupIds: [GROUP.id] });
    await run('port update shop/web-1 --no-group --no-vm');
    expect(calls.at(-1)?.body).toEqual({ securityGroupIds: [], vmId: null });
    await run('port update shop/web-1 --ingress 1.5Gbit --no-egress');
    expect(calls.at(-1)?.body).toEqual({ ingressBitsPerSecond: 1_500_000_000, egressBitsPerSecond: null });
    await run('port delete shop/web-1');
    expect(calls.at(-1)?.call).toBe(`DELETE /v1/ports/${PORT.id}`);
  });

  it.each(['port get web-1', 'port get a/b/c', `port update ${PORT.id} --egress 100`, `port update ${PORT.id}`])(
    'refuses "%s" and sends nothing',
    async (args) => {
      const { run, calls } = await openDouble(routes);
      expect((await run(args)).exitCode).toBe(2);
      expect(calls).toEqual([]);
    },
  );
});

describe('kvorum security-group', () => {
  const routes = {
    'GET /v1/security-groups': page(GROUP),
    'POST /v1/security-groups': made(GROUP),
    [`PATCH /v1/security-groups/${GROUP.id}`]: { status: 200, body: GROUP },
  };

  it.each([
    ['--allow-in tcp:22', [{ direction: 'ingress', protocol: 'tcp', portMin: 22, portMax: 22 }]],
    [
      '--allow-in udp:1-9@192.0.2.0/24',
      [{ direction: 'ingress', protocol: 'udp', portMin: 1, portMax: 9, cidr: '192.0.2.0/24' }],
    ],
    ['--allow-in any@web', [{ direction: 'ingress', protocol: 'any', peerGroupId: GROUP.id }]],
    [
      '--allow-out icmp --allow-out any',
      [
        { direction: 'egress', protocol: 'icmp' },
        { direction: 'egress', protocol: 'any' },
      ],
    ],
    ['--deny-all', []],
    ['', undefined],
  ])('with %s has these rules', async (options, rules) => {
    const { run, calls } = await openDouble(routes);
    expect((await run(`security-group create web ${options}`)).exitCode).toBe(0);
    expect(calls.at(-1)?.body).toEqual({ name: 'web', ...(rules === undefined ? {} : { rules }) });
  });

  it('shows its rules as the options take them', async () => {
    const { run } = await openDouble(routes);
    expect((await run('security-group update web --description x')).stdout).toMatchInlineSnapshot(`
      "name         web
      id           019a0000-0000-7000-8000-000000000022
      project      019a0000-0000-7000-8000-000000000009
      description  -
      in           tcp:80-81@192.0.2.0/24
      out          any
      created      2026-01-02T03:04:05.000Z
      changed      2026-01-02T03:04:05.000Z
      "
    `);
  });

  it.each(['--allow-in tpc:22', '--allow-in tcp:a', '--allow-in tcp@', '--deny-all --allow-in any'])(
    'refuses %s and sends nothing',
    async (options) => {
      const { run, calls } = await openDouble(routes);
      expect((await run(`security-group create web ${options}`)).exitCode).toBe(2);
      expect(calls).toEqual([]);
    },
  );
});
