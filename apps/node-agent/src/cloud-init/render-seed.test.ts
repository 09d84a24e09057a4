import { describe, expect, it } from 'vitest';
import { type CardOfGuest, renderSeed } from './render-seed.js';

const CLOUD_INIT = {
  instanceId: '01900000-0000-4000-8000-000000000001',
  hostname: 'web-1',
  sshAuthorizedKeys: ['ssh-ed25519 AAAA "quoted"'],
  userData: null,
};
const card = (last: number, kind: 'nat' | 'vxlan' | 'bridge'): CardOfGuest => ({
  macAddress: `02:00:00:00:00:0${last}`,
  port: {
    interfaceName: `kvt00000000000${last}`,
    mtu: 1450,
    address: `10.20.${last}.7`,
    network: { kind, cidr: `10.20.${last}.0/24`, gateway: `10.20.${last}.1`, dnsDomain: 'shop.internal' },
  },
});
const networkOf = (...cards: CardOfGuest[]) => JSON.parse(renderSeed(CLOUD_INIT, cards)['network-config'] ?? '');

describe('the seed disk of a VM', () => {
  it('says who the guest is, and nothing that was not said', () => {
    const seed = renderSeed(CLOUD_INIT, []);
    expect(Object.keys(seed)).toEqual(['meta-data', 'user-data', 'network-config']);
    expect(JSON.parse(seed['meta-data'] ?? '')).toEqual({
      'instance-id': CLOUD_INIT.instanceId,
      'local-hostname': 'web-1',
      'public-keys': CLOUD_INIT.sshAuthorizedKeys,
    });
    expect(seed['user-data']).toBe('#cloud-config\n');
    expect(networkOf()).toEqual({ version: 2, ethernets: {} });
  });

  it('gives each card its address by its MAC address; a NAT network leads out, an overlay to the metadata alone', () => {
    expect(networkOf(card(1, 'vxlan'), card(2, 'nat')).ethernets).toEqual({
      card0: {
        match: { macaddress: '02:00:00:00:00:01' },
        mtu: 1450,
        addresses: ['10.20.1.7/24'],
        routes: [{ to: '169.254.169.254/32', via: '10.20.1.1', metric: 100 }],
        nameservers: { addresses: ['10.20.1.1'], search: ['shop.internal'] },
      },
      card1: {
        match: { macaddress: '02:00:00:00:00:02' },
        mtu: 1450,
        addresses: ['10.20.2.7/24'],
        routes: [{ to: '0.0.0.0/0', via: '10.20.2.1', metric: 101 }],
        nameservers: { addresses: ['10.20.2.1'], search: ['shop.internal'] },
      },
    });
  });

  it('names no servers for a wire of the site, which has its own', () => {
    expect(networkOf(card(1, 'bridge')).ethernets.card0).not.toHaveProperty('nameservers');
  });
});
