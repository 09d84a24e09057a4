import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openTailBytes } from './read-vm-console.js';

describe('a part of a console log', () => {
  it.each([
    ['nothing', '', 0],
    ['whole characters', 'löwe', 0],
    ['the first byte of two', Buffer.from('abö').subarray(0, 3), 1],
    ['two bytes of three', Buffer.from('ab€').subarray(0, 4), 2],
    ['three bytes of four', Buffer.from('ab😀').subarray(0, 5), 3],
    ['a first byte alone, from which no part could go on', Buffer.from('ö').subarray(0, 1), 0],
    ['bytes that are no UTF-8', Buffer.from([0x61, 0x80, 0x80, 0x80, 0x80]), 0],
  ])('that ends with %s leaves the open bytes to the next one', (_, data, expected) => {
    expect(openTailBytes(Buffer.from(data))).toBe(expected);
  });

  it('can be cut anywhere: the parts join to the same text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), fc.integer({ min: 4, max: 20 }), (text, partBytes) => {
        const log = Buffer.from(text);
        let joined = '';
        for (let offset = 0; offset < log.byteLength; ) {
          const part = log.subarray(offset, offset + partBytes);
          const isEnd = offset + part.byteLength >= log.byteLength;
          const used = isEnd ? part.byteLength : part.byteLength - openTailBytes(part);
          joined += part.subarray(0, used).toString('utf8');
          offset += used;
        }
        expect(joined).toBe(text);
      }),
    );
  });
});
