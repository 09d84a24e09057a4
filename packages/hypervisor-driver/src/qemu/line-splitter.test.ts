import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter, LineTooLong } from './line-splitter.js';

describe('cutting a stream into lines', () => {
  it('gives the same lines however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 20 })), fc.array(fc.nat({ max: 30 })), (texts, cuts) => {
        const lines = texts.map((text) => text.replaceAll('\n', ''));
        const stream = Buffer.from(lines.map((line) => `${line}\n`).join(''));
        const splitter = new LineSplitter(1024);
        const found: string[] = [];
        let start = 0;
        for (const cut of [...cuts, stream.length]) {
          for (const line of splitter.push(stream.subarray(start, start + cut))) found.push(line.toString());
          start = Math.min(stream.length, start + cut);
        }
        for (const line of splitter.push(stream.subarray(start))) found.push(line.toString());
        expect(found).toEqual(lines);
      }),
    );
  });

  it('refuses a line beyond the bound, finished or not, and takes one at the bound', () => {
    expect(new LineSplitter(3).push(Buffer.from('abc\nabc'))).toHaveLength(1);
    expect(() => new LineSplitter(3).push(Buffer.from('abcd\n'))).toThrow(LineTooLong);
    const splitter = new LineSplitter(3);
    splitter.push(Buffer.from('ab'));
    expect(() => splitter.push(Buffer.from('cd'))).toThrow(LineTooLong);
  });
});
