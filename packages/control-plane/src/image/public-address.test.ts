import { describe, expect, it } from 'vitest';
import { IMAGE_SOURCES_DEFAULT, requireAllowedHost, requirePublicAddress } from './public-address.js';

const verdict = (check: () => void): string => {
  try {
    check();
    return 'allowed';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('an address that images may be fetched from', () => {
  it.each([
    ['9.9.9.9', 'allowed'],
    ['2001:470::1', 'allowed'],
    ['127.0.0.1', 'forbidden'],
    ['0.0.0.0', 'forbidden'],
    ['10.1.2.3', 'forbidden'],
    ['172.16.0.1', 'forbidden'],
    ['192.168.1.1', 'forbidden'],
    ['169.254.169.254', 'forbidden'],
    ['100.64.0.1', 'forbidden'],
    ['224.0.0.1', 'forbidden'],
    ['255.255.255.255', 'forbidden'],
    ['::', 'forbidden'],
    ['::1', 'forbidden'],
    ['fe80::1', 'forbidden'],
    ['fd00:ec2::254', 'forbidden'],
    ['::ffff:169.254.169.254', 'forbidden'],
    ['64:ff9b::a9fe:a9fe', 'forbidden'],
    ['2002:a9fe:a9fe::1', 'forbidden'],
  ])('is public: %s is %s', (address, expected) => {
    expect(verdict(() => requirePublicAddress(IMAGE_SOURCES_DEFAULT, address))).toBe(expected);
  });

  it.each([
    ['10.1.2.3', '10.1.0.0/16', 'allowed'],
    ['10.2.2.3', '10.1.0.0/16', 'forbidden'],
    ['fd00::7', 'fd00::/8', 'allowed'],
    ['fd00::7', '10.0.0.0/8', 'forbidden'],
    ['::ffff:10.1.2.3', '10.1.0.0/16', 'allowed'],
  ])('or in a network the operator named: %s with %s is %s', (address, network, expected) => {
    expect(verdict(() => requirePublicAddress({ hosts: ['*'], privateNetworks: [network] }, address))).toBe(expected);
  });
});

describe('a host that images may be fetched from', () => {
  it.each([
    [['*'], 'anything.example', 'allowed'],
    [['cloud.example.org'], 'cloud.example.org', 'allowed'],
    [['cloud.example.org'], 'CLOUD.example.org', 'allowed'],
    [['cloud.example.org'], 'cloud.example.org.evil.example', 'forbidden'],
    [['*.example.org'], 'eu.cloud.example.org', 'allowed'],
    [['*.example.org'], 'example.org', 'forbidden'],
    [['*.example.org'], 'evilexample.org', 'forbidden'],
    [[], 'cloud.example.org', 'forbidden'],
  ])('is one of %j: %s is %s', (hosts, name, expected) => {
    expect(verdict(() => requireAllowedHost({ hosts, privateNetworks: [] }, name))).toBe(expected);
  });
});
