import { describe, expect, it } from 'vitest';
import type { DesiredNetworks, HostNetwork } from './desired-networks.js';
import { isOurLink, linkName, namespaceName, networkOfNamespace } from './object-names.js';
import { planGateway, transitOf } from './plan-gateway.js';
import { planLinks, planSweep, wireFault } from './plan-links.js';
import { planPeers } from './plan-peers.js';
import { renderDnsmasq } from './render-dnsmasq.js';
import { renderRuleset } from './render-ruleset.js';

const idOf = (last: number): string => `019a0000-0000-7000-8000-${String(last).padStart(12, '0')}`;
const [NET, PORT, GROUP, PEER] = [idOf(1), idOf(2), idOf(3), idOf(4)];
const BASICS = {
  id: NET,
  segmentId: 4096,
  cidr: '10.20.0.0/24',
  gateway: '10.20.0.1',
  dnsDomain: 'shop.internal',
  mtu: 1450,
  ports: [
    {
      id: PORT,
      name: 'web-1',
      macAddress: '52:54:00:00:00:01',
      address: '10.20.0.2',
      securityGroupIds: [GROUP],
      ingressBitsPerSecond: null,
      egressBitsPerSecond: null,
      floatingAddress: null,
    },
  ],
  otherNames: [{ name: 'db', address: '10.20.0.3' }],
} as const;
const OVERLAY = { ...BASICS, kind: 'vxlan', peers: ['192.0.2.2', '192.0.2.3'] } as const;
const NAT = { ...BASICS, kind: 'nat', mtu: 1500 } as const;
const WIRE = { ...BASICS, kind: 'bridge', uplink: 'eth1', vlanId: 7, mtu: 1500 } as const;
const on = (...networks: HostNetwork[]): DesiredNetworks => ({
  hostAddress: '192.0.2.1',
  networks,
  securityGroups: [],
  resolvers: [],
});
/** An interface that is there, up, and free. */
const facts = (name: string, changes = {}) => ({
  name,
  master: null,
  mtu: 1500,
  isUp: true,
  hasAddress: false,
  ...changes,
});
const HOST = '192.0.2.1';
const lines = (commands: readonly (readonly string[])[]): string =>
  commands.map((command) => command.join(' ')).join('\n');

describe('names of what is made on a host', () => {
  it('say whose it is, and fit the kernel', () => {
    expect(linkName('tap', PORT)).toBe('kvt000000000002');
    expect(linkName('bridge', NET)).toHaveLength(15);
    expect(networkOfNamespace(namespaceName(NET))).toBe(NET);
  });

  it.each([
    ['kvb000000000001', true],
    ['kvt0123456789ab', true],
    ['kvt0123456789aX', false],
    ['kvm0123456789ab', false],
    ['kvb1', false],
    ['eth0', false],
    ['docker0', false],
  ])('tell that %s is ours: %s', (name, isOurs) => {
    expect(isOurLink(name)).toBe(isOurs);
  });
});

describe('the links of an empty host', () => {
  it('with an overlay', () => {
    expect(lines(planLinks(OVERLAY, HOST, []))).toMatchInlineSnapshot(`
      "ip link add kvb000000000001 type bridge mcast_snooping 0
      ip link set kvb000000000001 mtu 1450
      ip link set kvb000000000001 up
      ip link add kvx000000000001 type vxlan id 4096 dstport 4789 local 192.0.2.1 nolearning
      ip link set kvx000000000001 mtu 1450
      ip link set kvx000000000001 master kvb000000000001
      bridge link set dev kvx000000000001 isolated on
      ip link set kvx000000000001 up
      ip link add kvg000000000001 type veth peer name gateway netns kvorum-019a0000-0000-7000-8000-000000000001
      ip link set kvg000000000001 mtu 1450
      ip link set kvg000000000001 master kvb000000000001
      bridge link set dev kvg000000000001 isolated on
      ip link set kvg000000000001 up
      ip tuntap add dev kvt000000000002 mode tap vnet_hdr
      ip link set kvt000000000002 mtu 1450
      ip link set kvt000000000002 master kvb000000000001
      ip link set kvt000000000002 up"
    `);
  });

  it('with a NAT network', () => {
    expect(lines(planLinks(NAT, HOST, []))).toMatchInlineSnapshot(`
      "ip link add kvb000000000001 type bridge mcast_snooping 0
      ip link set kvb000000000001 mtu 1500
      ip link set kvb000000000001 up
      ip link add kvg000000000001 type veth peer name gateway netns kvorum-019a0000-0000-7000-8000-000000000001
      ip link set kvg000000000001 mtu 1500
      ip link set kvg000000000001 master kvb000000000001
      ip link set kvg000000000001 up
      ip link add kvu000000000001 type veth peer name uplink netns kvorum-019a0000-0000-7000-8000-000000000001
      ip link set kvu000000000001 mtu 1500
      ip link set kvu000000000001 up
      ip tuntap add dev kvt000000000002 mode tap vnet_hdr
      ip link set kvt000000000002 mtu 1500
      ip link set kvt000000000002 master kvb000000000001
      ip link set kvt000000000002 up"
    `);
  });

  // No kernel of the tests has VLANs: these commands have not been run.
  it('with a VLAN of a wire', () => {
    expect(lines(planLinks(WIRE, HOST, [facts('eth1')]))).toMatchInlineSnapshot(`
      "ip link add kvb000000000001 type bridge mcast_snooping 0
      ip link set kvb000000000001 mtu 1500
      ip link set kvb000000000001 up
      ip link add link eth1 name kvl000000000001 type vlan id 7
      ip link set kvl000000000001 mtu 1500
      ip link set kvl000000000001 master kvb000000000001
      ip link set kvl000000000001 up
      ip tuntap add dev kvt000000000002 mode tap vnet_hdr
      ip link set kvt000000000002 mtu 1500
      ip link set kvt000000000002 master kvb000000000001
      ip link set kvt000000000002 up"
    `);
  });

  it('with two VLANs of a wire, each with a bridge of its own, and the wire in none', () => {
    const other = { ...WIRE, id: idOf(5), vlanId: 8, ports: [] };
    const commands = lines([WIRE, other].flatMap((network) => planLinks(network, HOST, [facts('eth1')])));
    expect(commands).toContain('ip link add link eth1 name kvl000000000001 type vlan id 7');
    expect(commands).toContain('ip link add link eth1 name kvl000000000005 type vlan id 8');
    expect(commands).toContain('ip link set kvl000000000005 master kvb000000000005');
    expect(commands).not.toMatch(/set eth1|add eth1/);
  });

  it('with a wire as it is', () => {
    const commands = lines(planLinks({ ...WIRE, vlanId: null, ports: [] }, HOST, [facts('eth1')]));
    expect(commands).toContain('ip link set eth1 master kvb000000000001');
    expect(commands).not.toMatch(/add eth1|eth1 mtu/);
  });
});

describe('the links of a host that has some', () => {
  const ours = (name: string, master: string | null = 'kvb000000000001') => facts(name, { master, mtu: 1450 });
  const all = [
    ours('kvb000000000001', null),
    ours('kvx000000000001'),
    ours('kvg000000000001'),
    ours('kvt000000000002'),
    facts('eth0'),
  ];

  it('are left alone when they are right', () => {
    expect([planLinks(OVERLAY, HOST, all), planSweep(on(OVERLAY), all)]).toEqual([[], []]);
  });

  it('are mended one by one', () => {
    const broken = all.map((link) => (link.name === 'kvt000000000002' ? { ...link, master: null, isUp: false } : link));
    expect(lines(planLinks(OVERLAY, HOST, broken))).toBe(
      'ip link set kvt000000000002 master kvb000000000001\nip link set kvt000000000002 up',
    );
  });

  it('of a VLAN are left alone when they are right, mended one by one, and deleted without the wire', () => {
    const bridged = { master: 'kvb000000000001' };
    const tagged = [
      facts('kvb000000000001'),
      facts('kvl000000000001', bridged),
      facts('kvt000000000002', bridged),
      facts('eth1'),
    ];
    expect([planLinks(WIRE, HOST, tagged), planSweep(on(WIRE), tagged)]).toEqual([[], []]);
    const broken = tagged.map((link) => (link.name === 'kvl000000000001' ? { ...link, mtu: 1400, isUp: false } : link));
    expect(lines(planLinks(WIRE, HOST, broken))).toBe(
      'ip link set kvl000000000001 mtu 1500\nip link set kvl000000000001 up',
    );
    // Another VLAN is another network: the record changes none.
    expect(lines(planSweep(on(), tagged))).toBe(
      ['kvb000000000001', 'kvl000000000001', 'kvt000000000002'].map((name) => `ip link delete ${name}`).join('\n'),
    );
  });

  it('are deleted when nobody owns them any more, and those of others never', () => {
    expect(lines(planSweep(on(), all))).toBe(
      ['kvb', 'kvx', 'kvg'].map((kind) => `ip link delete ${kind}000000000001\n`).join('') +
        'ip link delete kvt000000000002',
    );
  });
});

describe('a wire', () => {
  const UNTAGGED = { ...WIRE, vlanId: null };
  it.each([
    ['is used when it is free', UNTAGGED, [facts('eth1')], null],
    ['is used when it is in its bridge already', UNTAGGED, [facts('eth1', { master: 'kvb000000000001' })], null],
    ['with addresses of the host is used for its VLANs', WIRE, [facts('eth1', { hasAddress: true })], null],
    ['with addresses of the host is not taken itself', UNTAGGED, [facts('eth1', { hasAddress: true })], 'addresses'],
    ['in a bridge of others is not taken', UNTAGGED, [facts('eth1', { master: 'br0' })], 'in br0 already'],
    ['that is not there is asked for', WIRE, [facts('eth0')], 'no interface eth1'],
    ['that takes smaller packets only is not changed', WIRE, [facts('eth1', { mtu: 1400 })], 'raise its MTU'],
  ])('%s', (_what, network, existing, fault) => {
    const found = wireFault(network, existing);
    if (fault === null) expect(found).toBeNull();
    else expect(found).toContain(fault);
    const commands = lines(planLinks(network, HOST, existing));
    expect(commands.includes('eth1')).toBe(fault === null && existing.every(({ master }) => master === null));
    expect(commands).toContain('ip link set kvt000000000002 master kvb000000000001');
  });
});

describe('an overlay floods', () => {
  it('to its peers alone', () => {
    expect(lines(planPeers(OVERLAY, ['192.0.2.3', '192.0.2.9']))).toMatchInlineSnapshot(`
      "bridge fdb delete 00:00:00:00:00:00 dev kvx000000000001 dst 192.0.2.9 self permanent
      bridge fdb append 00:00:00:00:00:00 dev kvx000000000001 dst 192.0.2.2 self permanent"
    `);
    expect(planPeers(OVERLAY, ['192.0.2.3', '192.0.2.2'])).toEqual([]);
  });
});

describe('the namespace of a network', () => {
  it('has the gateway, and for NAT a way out', () => {
    expect(lines(planGateway(NAT))).toMatchInlineSnapshot(`
      "ip -n kvorum-019a0000-0000-7000-8000-000000000001 link set lo up
      ip -n kvorum-019a0000-0000-7000-8000-000000000001 address replace 169.254.169.254/32 dev lo
      ip -n kvorum-019a0000-0000-7000-8000-000000000001 link set gateway address 0a:4b:56:00:10:00 mtu 1500 up
      ip -n kvorum-019a0000-0000-7000-8000-000000000001 address replace 10.20.0.1/24 dev gateway
      ip address replace 100.64.32.0/31 dev kvu000000000001
      ip -n kvorum-019a0000-0000-7000-8000-000000000001 link set uplink mtu 1500 up
      ip -n kvorum-019a0000-0000-7000-8000-000000000001 address replace 100.64.32.1/31 dev uplink
      ip -n kvorum-019a0000-0000-7000-8000-000000000001 route replace default via 100.64.32.0"
    `);
  });

  it('has addresses of its own on the way out', () => {
    const pairs = [4096, 4097, 2 ** 21 + 4095, 2 ** 24 - 1].map((segmentId) => transitOf(segmentId).hostSide);
    expect(pairs).toEqual(['100.64.32.0', '100.64.32.2', '100.64.31.254', '100.127.255.254']);
  });
});

describe('the files of dnsmasq', () => {
  it('have a lease for each port here, and the names of all', () => {
    const { config, hosts, names } = renderDnsmasq(OVERLAY, '/var/lib/kvorum/net', ['192.0.2.53']);
    expect([hosts, names]).toEqual([
      '52:54:00:00:00:01,10.20.0.2,web-1,1h\n',
      '10.20.0.2 web-1.shop.internal web-1\n10.20.0.3 db.shop.internal db\n',
    ]);
    expect(config).toMatchInlineSnapshot(`
      "# Kvorum, network 019a0000-0000-7000-8000-000000000001
      pid-file=/var/lib/kvorum/net/pid
      dhcp-leasefile=/var/lib/kvorum/net/leases
      dhcp-hostsfile=/var/lib/kvorum/net/hosts
      addn-hosts=/var/lib/kvorum/net/names
      interface=gateway
      except-interface=lo
      bind-interfaces
      no-hosts
      no-resolv
      no-poll
      server=192.0.2.53
      cache-size=1000
      dns-forward-max=150
      domain=shop.internal
      local=/shop.internal/
      domain-needed
      bogus-priv
      stop-dns-rebind
      dhcp-range=10.20.0.0,static,255.255.255.0,1h
      dhcp-authoritative
      dhcp-option=option:router,10.20.0.1
      dhcp-option=option:dns-server,10.20.0.1
      dhcp-option=option:mtu,1450
      "
    `);
  });
});

describe('the rules', () => {
  it('of a host with nothing are none', () => {
    expect(renderRuleset(on())).not.toContain('chain');
  });

  it('of a port with limits have a chain per direction, which frames of that port alone pass', () => {
    const port = { ...NAT.ports[0], ingressBitsPerSecond: 100_000_000, egressBitsPerSecond: 8_000_000 };
    const text = renderRuleset(on({ ...NAT, ports: [port] }));
    expect(text.slice(text.indexOf('  chain egress_limit'), text.indexOf('  chain to_port'))).toMatchInlineSnapshot(`
      "  chain egress_limit_019a0000000070008000000000000002 {
          limit rate over 1000000 bytes/second burst 262144 bytes counter drop
        }
        map egress_limits {
          type ifname : verdict;
          elements = {
            "kvt000000000002" : jump egress_limit_019a0000000070008000000000000002,
          }
        }
        chain ingress_limit_019a0000000070008000000000000002 {
          limit rate over 12500000 bytes/second burst 262144 bytes counter drop
        }
        map ingress_limits {
          type ifname : verdict;
          elements = {
            "kvt000000000002" : jump ingress_limit_019a0000000070008000000000000002,
          }
        }
        chain from_port {
          type filter hook prerouting priority -300; policy accept;
          iifname != "kvt*" accept
          iifname . ether saddr != @port_macs counter drop
          iifname vmap @egress_limits
          ether type arp iifname . arp saddr ether . arp saddr ip @port_arp accept
          ether type ip ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept
          ether type ip udp sport 67 counter drop
          ether type ip iifname . ip saddr @port_addresses accept
          counter drop
        }
      "
    `);
    expect(text).toContain('    oifname != "kvt*" accept\n    oifname vmap @ingress_limits\n');
  });

  it('of a host with a port, a group and a peer group', () => {
    const any = { protocol: 'any', portMin: null, portMax: null, cidr: null, peerGroupId: null } as const;
    const desired: DesiredNetworks = {
      ...on(OVERLAY),
      securityGroups: [
        {
          id: GROUP,
          rules: [
            { ...any, direction: 'egress' },
            { ...any, direction: 'ingress', protocol: 'tcp', portMin: 443, portMax: 443 },
            { ...any, direction: 'ingress', protocol: 'udp', portMin: 1, portMax: 9, cidr: '198.51.100.0/24' },
            { ...any, direction: 'ingress', protocol: 'icmp', cidr: '0.0.0.0/0' },
            { ...any, direction: 'ingress', peerGroupId: PEER },
          ],
          members: [{ networkId: NET, address: '10.20.0.2' }],
        },
        { id: PEER, rules: [], members: [{ networkId: NET, address: '10.20.0.3' }] },
      ],
    };
    expect(renderRuleset(desired)).toMatchInlineSnapshot(`
      "table bridge kvorum
      delete table bridge kvorum
      table bridge kvorum {
        set port_macs {
          type ifname . ether_addr;
          elements = {
            "kvt000000000002" . 52:54:00:00:00:01,
          }
        }
        set port_addresses {
          type ifname . ipv4_addr;
          elements = {
            "kvt000000000002" . 10.20.0.2,
          }
        }
        set port_arp {
          type ifname . ether_addr . ipv4_addr;
          elements = {
            "kvt000000000002" . 52:54:00:00:00:01 . 10.20.0.2,
            "kvt000000000002" . 52:54:00:00:00:01 . 0.0.0.0,
          }
        }
        chain from_port {
          type filter hook prerouting priority -300; policy accept;
          iifname != "kvt*" accept
          iifname . ether saddr != @port_macs counter drop
          ether type arp iifname . arp saddr ether . arp saddr ip @port_arp accept
          ether type ip ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept
          ether type ip udp sport 67 counter drop
          ether type ip iifname . ip saddr @port_addresses accept
          counter drop
        }
        chain to_port {
          type filter hook forward priority -200; policy accept;
          oifname != "kvt*" accept
          ether type arp accept
          ether type ip udp sport 67 udp dport 68 accept
          ether type ip oifname . ether daddr @port_macs oifname . ip daddr @port_addresses accept
          counter drop
        }
      }
      table inet kvorum
      delete table inet kvorum
      table inet kvorum {
        set members_019a0000000070008000000000000003 {
          type ifname . ipv4_addr;
          elements = {
            "kvb000000000001" . 10.20.0.2,
          }
        }
        set members_019a0000000070008000000000000004 {
          type ifname . ipv4_addr;
          elements = {
            "kvb000000000001" . 10.20.0.3,
          }
        }
        set gateways {
          type ifname . ipv4_addr;
          elements = {
            "kvb000000000001" . 10.20.0.1,
          }
        }
        set metadata {
          type ifname . ipv4_addr;
          elements = {
            "kvb000000000001" . 169.254.169.254,
          }
        }
        set floating {
          type ifname . ipv4_addr;
        }
        set overlay_peers {
          type ipv4_addr;
          elements = {
            192.0.2.2,
            192.0.2.3,
          }
        }
        chain ingress_019a0000000070008000000000000003 {
          ip protocol tcp tcp dport 443 accept
          ip saddr 198.51.100.0/24 ip protocol udp udp dport 1-9 accept
          ip protocol icmp accept
          iifname . ip saddr @members_019a0000000070008000000000000004 accept
        }
        chain egress_019a0000000070008000000000000003 {
          accept
        }
        chain ingress_019a0000000070008000000000000004 {
        }
        chain egress_019a0000000070008000000000000004 {
        }
        chain from_019a0000000070008000000000000002 {
          jump egress_019a0000000070008000000000000003
          counter drop
        }
        chain to_019a0000000070008000000000000002 {
          jump ingress_019a0000000070008000000000000003
          counter drop
        }
        map from_port {
          type ifname . ipv4_addr : verdict;
          elements = {
            "kvb000000000001" . 10.20.0.2 : goto from_019a0000000070008000000000000002,
          }
        }
        map to_port {
          type ifname . ipv4_addr : verdict;
          elements = {
            "kvb000000000001" . 10.20.0.2 : goto to_019a0000000070008000000000000002,
          }
        }
        chain zones {
          type filter hook prerouting priority raw; policy accept;
          ct zone set iifname map { "kvb000000000001" : 4097 }
        }
        chain leaving {
          type filter hook forward priority filter; policy accept;
          iifname "kvu*" ip saddr != 100.64.0.0/10 iifname . ip saddr != @floating counter drop
          oifname "kvu*" oifname . ip daddr != @floating ct state != { established, related } counter drop
          iifname != "kvb*" accept
          ct state established,related accept
          ct state invalid counter drop
          ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept
          iifname . ip daddr @gateways udp sport 68 udp dport 67 accept
          iifname . ip daddr @gateways meta l4proto { tcp, udp } th dport 53 accept
          iifname . ip daddr @metadata tcp dport 80 accept
          iifname . ip saddr vmap @from_port
        }
        chain reaching {
          type filter hook forward priority filter + 10; policy accept;
          iifname != "kvb*" accept
          ct state established,related accept
          iifname . ip saddr @gateways udp sport 67 udp dport 68 accept
          iifname . ip daddr vmap @to_port
        }
        chain incoming {
          type filter hook input priority filter; policy accept;
          udp dport 4789 ip saddr != @overlay_peers counter drop
          iifname "kvu*" ct state != { established, related } counter drop
        }
      }
      table ip kvorum_nat
      delete table ip kvorum_nat
      table ip kvorum_nat {
        chain outgoing {
          type nat hook postrouting priority srcnat; policy accept;
          ip saddr 100.64.0.0/10 oifname != "kvu*" oifname != "kvb*" masquerade
        }
      }
      "
    `);
  });
});
