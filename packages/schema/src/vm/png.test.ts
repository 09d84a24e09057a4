import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pngRefusal } from './png.js';

const chunk = (type: string, data: Buffer): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.byteLength);
  return Buffer.concat([length, Buffer.from(type), data, Buffer.alloc(4)]);
};
const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');
const header = (width: number, height: number): Buffer => {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(width, 0);
  data.writeUInt32BE(height, 4);
  return chunk('IHDR', data);
};
const END = chunk('IEND', Buffer.alloc(0));
const BODY = chunk('IDAT', Buffer.from('pixels'));
const GOOD = Buffer.concat([SIGNATURE, header(720, 400), BODY, END]);

describe('what is taken for a PNG file', () => {
  it('is one with signature, header, chunks and end', () => {
    expect(pngRefusal(GOOD)).toBeNull();
  });

  it.each([
    ['nothing', Buffer.alloc(0), 'has not the signature of a PNG file'],
    ['a page of HTML', Buffer.from('<html><script>alert(1)</script>'), 'has not the signature of a PNG file'],
    ['a file that is cut off', GOOD.subarray(0, GOOD.length - 5), 'is cut off'],
    ['a file with something behind its end', Buffer.concat([GOOD, Buffer.from('x')]), 'goes on behind its end'],
    ['a file without a header', Buffer.concat([SIGNATURE, BODY, END]), 'does not begin with one header'],
    ['two headers', Buffer.concat([SIGNATURE, header(1, 1), header(1, 1), END]), 'does not begin with one header'],
    ['no pixel', Buffer.concat([SIGNATURE, header(0, 400), END]), 'has a header without sense'],
    [
      'more pixels than any screen has',
      Buffer.concat([SIGNATURE, header(2 ** 31, 1), END]),
      'has a header without sense',
    ],
  ])('is not %s', (_what, file, refusal) => {
    expect(pngRefusal(file)).toBe(refusal);
  });

  it('is none of what chance makes of one, and no bytes make it throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(pngRefusal(Buffer.concat([SIGNATURE, bytes]))).not.toBeNull();
      }),
    );
  });
});
