import { EnsureNetworksRequest, HostNetwork, HostSecurityGroup } from '@kvorum/schema/agent-wire';
import { expect, it } from 'vitest';
import { decodeNetworks } from './decode-networks.js';

const [NETWORK, PORT, GROUP, OTHER] = [1, 2, 3, 4].map((last) => `019a0000-0000-7000-8000-00000000000${last}`) as [
  string,
  string,
  string,
  string,
];
const port = {
  ...{ id: PORT, name: '', macAddress: '52:54:00:00:00:01', address: '10.20.0.2', securityGroupIds: [GROUP] },
  egressBitsPerSecond: 8_000_000,
  floatingAddress: '203.0.113.7',
};
const LIMITS = { ingressBitsPerSecond: null, egressBitsPerSecond: 8_000_000 };
const rule = { direction: 'ingress', protocol: 'tcp', portMin: 80, portMax: 80, cidr: '', peerGroupId: '' };
const request = (network: Partial<HostNetwork> = {}, group: Partial<HostSecurityGroup> = {}) =>
  EnsureNetworksRequest.create({
    revision: 1,
    networks: [
      HostNetwork.create({
        ...{ id: NETWORK, kind: 'vxlan', segmentId: 4096, cidr: '10.20.0.0/24', gateway: '10.20.0.1', mtu: 1450 },
        ...{ dnsDomain: 'shop.internal', ports: [port], peers: ['192.0.2.2'], ...network },
      }),
    ],
    securityGroups: [HostSecurityGroup.create({ id: GROUP, rules: [rule], members: [], ...group })],
  });

it('networks from the wire are read, with null for what is absent', () => {
  expect(decodeNetworks(request())).toEqual({
    revision: 1,
    networks: [
      {
        ...{ id: NETWORK, kind: 'vxlan', segmentId: 4096, cidr: '10.20.0.0/24', gateway: '10.20.0.1', mtu: 1450 },
        ...{
          dnsDomain: 'shop.internal',
          ports: [{ ...port, name: null, ...LIMITS }],
          otherNames: [],
          peers: ['192.0.2.2'],
        },
      },
    ],
    securityGroups: [{ id: GROUP, rules: [{ ...rule, cidr: null, peerGroupId: null }], members: [] }],
  });
});

it.each<[string, EnsureNetworksRequest]>([
  ['revision', { ...request(), revision: 0 }],
  ['networks.0.id', request({ id: NETWORK.replace('a', 'A') })],
  ['networks.0.kind', request({ kind: 'gre' })],
  ['networks.0.uplink', request({ kind: 'bridge', uplink: 'eth1 up; x' })],
  ['networks.0.dnsDomain', request({ dnsDomain: 'a.b\naddress=/x/192.0.2.1' })],
  ['networks.0.gateway', request({ gateway: '10.20.0.1/24' })],
  ['networks.0.peers.0', request({ peers: ['--help'] })],
  ['networks.0.ports.0.name', request({ ports: [{ ...port, name: 'a,b' }] })],
  ['networks.0.ports.0.macAddress', request({ ports: [{ ...port, macAddress: '52:54:00:00:00:01 accept' }] })],
  ['networks.0.ports.0.floatingAddress', request({ ports: [{ ...port, floatingAddress: '203.0.113.7/24' }] })],
  ['networks.0.ports.0.egressBitsPerSecond', request({ ports: [{ ...port, egressBitsPerSecond: 1 }] })],
  ['networks.0.otherNames.0.name', request({ otherNames: [{ name: 'a b', address: '10.20.0.3' }] })],
  ['securityGroups', request({}, { id: OTHER })],
  ['securityGroups', request({}, { rules: [{ ...rule, peerGroupId: OTHER }] })],
  ['securityGroups.0.rules.0.cidr', request({}, { rules: [{ ...rule, cidr: '0.0.0.0/0 accept' }] })],
  ['securityGroups.0.rules.0.portMin', request({}, { rules: [{ ...rule, protocol: 'any' }] })],
])('a request is refused as a whole, naming %s', (field, wrong) => {
  expect(() => decodeNetworks(wrong)).toThrowError(
    expect.objectContaining({
      code: 'invalid_request',
      details: { fields: expect.arrayContaining([expect.objectContaining({ field })]) },
    }),
  );
});
