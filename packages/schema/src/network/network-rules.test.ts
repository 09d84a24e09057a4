import { describe, expect, it } from 'vitest';
import { formatIpv4, formatIpv4Cidr, overlaps, parseIpv4, parseIpv4Cidr } from './ipv4.js';
import { addressFault, CreateNetworkRequest, subnetFault } from './network.schema.js';
import { macAddressFault } from './port.schema.js';
import { CreateSecurityGroupRequest, SecurityGroupRule } from './security-group.schema.js';

const ID = '019a0000-0000-7000-8000-000000000001';

describe('an IPv4 address', () => {
  it.each(['0.0.0.0', '10.20.0.7', '192.168.255.1', '255.255.255.255'])('%s is read and written the same', (text) => {
    expect(formatIpv4(parseIpv4(text) ?? -1)).toBe(text);
  });

  it.each([
    '',
    '10.0.0',
    '10.0.0.0.0',
    '10.0.0.256',
    '010.0.0.1',
    '10.0.0.-1',
    '10.0.0.1 ',
    '0x10.0.0.1',
    '1e1.0.0.1',
    '::1',
  ])('%j is none', (text) => {
    expect(parseIpv4(text)).toBeNull();
  });
});

describe('an IPv4 range', () => {
  it.each(['', '10.0.0.0', '10.0.0.0/', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/08', '10.0.0.0/24/1', 'a/24'])(
    '%j is none',
    (text) => {
      expect(parseIpv4Cidr(text)).toBeNull();
    },
  );

  it('has its own address first, whatever address it was written with', () => {
    expect(formatIpv4Cidr(parseIpv4Cidr('10.20.30.40/20') ?? { first: 0, last: 0, length: 0 })).toBe('10.20.16.0/20');
  });

  it.each([
    ['10.0.0.0/24', '10.0.1.0/24', false],
    ['10.0.0.0/24', '10.0.0.128/25', true],
    ['10.0.0.0/16', '10.0.200.0/24', true],
    ['0.0.0.0/0', '255.255.255.255/32', true],
    ['10.0.0.0/25', '10.0.0.128/25', false],
  ])('%s and %s overlap: %s', (left, right, expected) => {
    const [a, b] = [parseIpv4Cidr(left), parseIpv4Cidr(right)];
    if (a === null || b === null) throw new TypeError('both are ranges');
    expect([overlaps(a, b), overlaps(b, a)]).toEqual([expected, expected]);
  });
});

describe("a network's range", () => {
  it.each(['10.20.0.0/24', '192.168.0.0/16', '172.16.5.8/29', '203.0.113.0/24'])('may be %s', (cidr) => {
    expect(subnetFault(cidr)).toBeNull();
  });

  it.each([
    ['10.20.0.1/24', 'you may mean 10.20.0.0/24'],
    ['10.20.0.0/30', 'too small'],
    ['10.20.0.0/32', 'too small'],
    ['10.0.0.0/8', 'too large'],
    ['127.0.0.0/24', 'loopback'],
    ['169.254.0.0/16', 'link-local'],
    ['169.254.169.0/24', 'link-local'],
    ['224.0.0.0/24', 'multicast'],
    ['239.255.0.0/16', 'multicast'],
    ['240.0.0.0/24', 'reserved'],
    ['255.255.255.0/24', 'reserved'],
    ['0.0.0.0/16', '"this network"'],
    ['fd00::/64', 'must be an IPv4 range'],
    ['10.20.0.0', 'must be an IPv4 range'],
  ])('is not %s: %s', (cidr, why) => {
    expect(subnetFault(cidr)).toContain(why);
  });
});

describe('an address of 10.20.0.0/24', () => {
  it.each([
    ['10.20.0.1', null],
    ['10.20.0.254', null],
    ['10.20.0.0', 'the address of the network itself'],
    ['10.20.0.255', 'the broadcast address'],
    ['10.20.1.1', 'outside of 10.20.0.0/24; choose from 10.20.0.1 to 10.20.0.254'],
    ['192.0.2.1', 'outside'],
  ])('may be %s, but for: %s', (address, fault) => {
    const found = addressFault('10.20.0.0/24', address);
    if (fault === null) expect(found).toBeNull();
    else expect(found).toContain(fault);
  });
});

describe('a MAC address of a port', () => {
  it.each([
    ['52:54:00:12:34:56', null],
    ['02:00:00:00:00:01', null],
    ['53:54:00:12:34:56', 'multicast'],
    ['ff:ff:ff:ff:ff:ff', 'multicast'],
    ['00:1b:21:12:34:56', 'maker of hardware'],
    ['52:54:00:12:34', 'six pairs'],
    ['52-54-00-12-34-56', 'six pairs'],
    ['52:54:00:12:34:5G', 'six pairs'],
    ['52:54:00:12:34:5A', 'lower-case'],
  ])('may be %s, but for: %s', (text, fault) => {
    const found = macAddressFault(text);
    if (fault === null) expect(found).toBeNull();
    else expect(found).toContain(fault);
  });
});

const faultsOf = (result: { error?: { issues: readonly { path: PropertyKey[] }[] } | undefined }): string[] => [
  ...new Set((result.error?.issues ?? []).map(({ path }) => path.join('.'))),
];

describe('a request for a network', () => {
  const network = { name: 'a', cidr: '10.20.0.0/24' };
  it.each<[string, object, string[]]>([
    ['a range alone', {}, []],
    ['its gateway at the end', { gateway: '10.20.0.254' }, []],
    ['a gateway elsewhere', { gateway: '10.21.0.1' }, ['gateway']],
    ['the broadcast address as gateway', { gateway: '10.20.0.255' }, ['gateway']],
    ['no address as gateway', { gateway: 'gw' }, ['gateway']],
    ['a bridge without an uplink', { kind: 'bridge' }, ['uplink']],
    ['a bridge on a VLAN', { kind: 'bridge', uplink: 'eth1', vlanId: 7 }, []],
    ['a VLAN without a bridge', { kind: 'vxlan', vlanId: 7 }, ['vlanId']],
    ['an uplink without a bridge', { uplink: 'eth1' }, ['uplink']],
    ['VLAN 4095', { kind: 'bridge', uplink: 'eth1', vlanId: 4095 }, ['vlanId']],
    ['an uplink with options', { kind: 'bridge', uplink: 'eth1 up; x' }, ['uplink']],
    ['an uplink that Kvorum made', { kind: 'bridge', uplink: 'kvb0123456789a' }, ['uplink']],
    ['an uplink that is too long', { kind: 'bridge', uplink: 'a'.repeat(16) }, ['uplink']],
    ['a tiny MTU', { mtu: 500 }, ['mtu']],
    ['a huge MTU', { mtu: 65_535 }, ['mtu']],
    ['a domain of one label', { dnsDomain: 'com' }, ['dnsDomain']],
    ['a domain with options of dnsmasq', { dnsDomain: 'a.b\naddress=/x/1.2.3.4' }, ['dnsDomain']],
    ['a kind that is none', { kind: 'gre' }, ['kind']],
    ['a VNI of its own', { kind: 'vxlan', vni: 7 }, ['']],
  ])('with %s: wrong are %j', (_what, fields, wrong) => {
    expect(faultsOf(CreateNetworkRequest.safeParse({ ...network, ...fields }))).toEqual(wrong);
  });
});

describe('a rule of a security group', () => {
  it.each<[string, object, string[]]>([
    ['everything', {}, []],
    ['one port', { protocol: 'tcp', portMin: 22 }, []],
    ['a range of ports', { protocol: 'udp', portMin: 1, portMax: 65_535 }, []],
    ['a range the wrong way', { protocol: 'tcp', portMin: 23, portMax: 22 }, ['portMax']],
    ['a port of any protocol', { portMin: 22 }, ['portMin']],
    ['a port of ICMP', { protocol: 'icmp', portMin: 8 }, ['portMin']],
    ['an end without a beginning', { protocol: 'tcp', portMax: 22 }, ['portMin']],
    ['port 0', { protocol: 'tcp', portMin: 0 }, ['portMin']],
    ['port 65536', { protocol: 'tcp', portMin: 65_536 }, ['portMin']],
    ['the whole Internet', { cidr: '0.0.0.0/0' }, []],
    ['one address', { cidr: '192.0.2.7/32' }, []],
    ['an address with bits beyond its length', { cidr: '192.0.2.7/24' }, ['cidr']],
    ['a range and a group', { cidr: '0.0.0.0/0', peerGroupId: ID }, ['peerGroupId']],
    ['a sideways direction', { direction: 'sideways' }, ['direction']],
    ['nftables', { cidr: '0.0.0.0/0 accept; drop' }, ['cidr']],
  ])('for %s: wrong are %j', (_what, fields, wrong) => {
    expect(faultsOf(SecurityGroupRule.safeParse({ direction: 'ingress', ...fields }))).toEqual(wrong);
  });

  it('that lets everything out is what a group has when nothing is said, and one may say nothing', () => {
    expect(CreateSecurityGroupRequest.parse({ name: 'a' }).rules).toMatchObject([{ direction: 'egress' }]);
    expect(CreateSecurityGroupRequest.parse({ name: 'a', rules: [] }).rules).toEqual([]);
  });
});
