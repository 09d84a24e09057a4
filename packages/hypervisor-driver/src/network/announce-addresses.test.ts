import { expect, it } from 'vitest';
import { announcementOf } from './announce-addresses.js';

it('an address is announced by a broadcast that asks for itself, as RFC 5227 has it', () => {
  const frame = announcementOf(Buffer.from('525400123456', 'hex'), '203.0.113.7').toString('hex');
  expect(frame).toBe(
    [
      ...['ffffffffffff', '525400123456', '0806'],
      ...['0001', '0800', '06', '04', '0001'],
      ...['525400123456', 'cb007107', '000000000000', 'cb007107'],
    ].join(''),
  );
});
