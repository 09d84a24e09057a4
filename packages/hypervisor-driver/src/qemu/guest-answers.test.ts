import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GUEST_ADDRESS_COUNT_MAX, GUEST_INTERFACE_COUNT_MAX } from '../guest-port.js';
import { readCommandId, readCommandStatus, readCount, readFreezeStatus, readInterfaces } from './guest-answers.js';

const address = (text: string, prefix = 24) => ({ 'ip-address': text, 'ip-address-type': 'ipv4', prefix });
const face = (changes: object = {}) => ({
  name: 'eth0',
  'hardware-address': '52:54:00:AB:cd:01',
  'ip-addresses': [address('10.0.0.5'), { 'ip-address': 'FE80::1', 'ip-address-type': 'ipv6', prefix: 64 }],
  statistics: { 'tx-errs': 0 },
  ...changes,
});

describe('the network interfaces of a guest', () => {
  it('are read with their addresses', () => {
    expect(readInterfaces([face()])).toEqual([
      {
        name: 'eth0',
        macAddress: '52:54:00:ab:cd:01',
        addresses: [
          { address: '10.0.0.5', prefixLength: 24 },
          { address: 'fe80::1', prefixLength: 64 },
        ],
      },
    ]);
  });

  it.each([
    ['of loopback', face({ name: 'lo', 'ip-addresses': [address('127.0.0.1', 8)] })],
    ['of loopback under another name', face({ name: 'Loopback 1', 'ip-addresses': [address('::1', 128)] })],
    ['without a name', face({ name: '' })],
    ['whose name is a number', face({ name: 7 })],
    ['that is none', null],
  ])('leave out one %s', (_what, entry) => {
    expect(readInterfaces([entry, face({ name: 'eth1' })])?.map(({ name }) => name)).toEqual(['eth1']);
  });

  it.each([
    ['a name instead of an address', address('<script>')],
    ['an address with a zone', address('fe80::1%eth0', 64)],
    ['a prefix beyond its bits', address('10.0.0.6', 33)],
    ['a negative prefix', address('10.0.0.6', -1)],
    ['an address of numbers', { 'ip-address': 7, prefix: 8 }],
  ])('leave out %s', (_what, entry) => {
    expect(readInterfaces([face({ 'ip-addresses': [entry] })])?.[0]?.addresses).toEqual([]);
  });

  it('take nothing for a MAC address that is none, and print what is no letter as a question mark', () => {
    expect(readInterfaces([face({ name: '\u001b[2Jeth\n', 'hardware-address': 'x' })])?.[0]).toMatchObject({
      name: '?[2Jeth?',
      macAddress: null,
    });
  });

  it('are cut off where they are too many', () => {
    const many = Array.from({ length: 500 }, (_, index) => face({ name: `veth${index}` }));
    const read = readInterfaces(many);
    expect(read).toHaveLength(GUEST_INTERFACE_COUNT_MAX);
    expect(read?.flatMap(({ addresses }) => addresses)).toHaveLength(GUEST_ADDRESS_COUNT_MAX);
  });

  it.each([[null], ['eth0'], [{}], [7]])('are none in %j', (answer) => {
    expect(readInterfaces(answer)).toBeNull();
  });

  it('never make it throw', () => {
    fc.assert(fc.property(fc.anything(), (answer) => void readInterfaces([answer])));
  });
});

describe('the state of a program in a guest', () => {
  it('is read with its output', () => {
    const status = readCommandStatus({ exited: true, exitcode: 3, 'out-data': 'aGVsbG8=', 'err-truncated': true });
    expect(status).toEqual({
      hasEnded: true,
      exitCode: 3,
      signal: null,
      stdout: Buffer.from('hello'),
      stderr: new Uint8Array(0),
      isTruncated: true,
    });
  });

  it.each([
    ['nothing', {}],
    ['a word for the end', { exited: 'yes' }],
    ['a code of words', { exited: true, exitcode: 'zero' }],
    ['output that is no base64', { exited: true, exitcode: 0, 'out-data': '###' }],
    ['a list', []],
  ])('is not read from %s', (_what, answer) => {
    expect(readCommandStatus(answer)).toBeNull();
  });
});

it.each([
  [readCommandId, { pid: 12 }, 12],
  [readCommandId, { pid: -1 }, null],
  [readCommandId, null, null],
  [readCount, 2, 2],
  [readCount, '2', null],
  [readFreezeStatus, 'frozen', true],
  [readFreezeStatus, 'thawed', false],
  [readFreezeStatus, 'melted', null],
])('%o reads %j as %j', (read, answer, expected) => {
  expect(read(answer)).toBe(expected);
});
