import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cleanLine, cleanLines } from './plain-text.js';

describe('console text', () => {
  it.each([
    ['plain text', 'login: \n\tok', 'login: \n\tok'],
    ['colours', '\x1b[1;31mfail\x1b[0m', 'fail'],
    ['window titles', '\x1b]0;rm -rf /\x07$ ', '$ '],
    ['titles ended by ST', '\x1b]2;evil\x1b\\$ ', '$ '],
    ['an unfinished title, to the end of its line', 'a\x1b]0;evil\nb', 'a\nb'],
    ['device control strings', 'a\x1bP$qm\x1b\\b', 'ab'],
    ['8-bit sequences', 'a\x9b31mb\x9d0;t\x9cc', 'abc'],
    ['character set switches', '\x1b(Ba\x1b=b', 'ab'],
    ['carriage returns', 'a\r\nb\rc', 'a\nbc'],
    ['NUL, BEL and DEL', 'a\0b\x07c\x7fd', 'abcd'],
    ['text that is turned round', 'a\u202egnp.exe', 'agnp.exe'],
    ['a lone escape at the end', 'a\x1b', 'a'],
  ])('loses %s', (_, text, expected) => {
    expect(cleanLines(text)).toBe(expected);
  });

  it('never holds a control character but newline and tab, whatever the guest writes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(cleanLines(text)).toMatch(/^(?:[^\p{Cc}\p{Cf}\p{Cs}]|[\n\t])*$/u);
      }),
    );
  });

  it('is one bounded line when asked for one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(50), (text, lengthMax) => {
        const line = cleanLine(text, lengthMax);
        expect(line).toMatch(/^[^\p{Cc}\p{Cf}\p{Cs}]*$/u);
        expect(line.length).toBeLessThanOrEqual(lengthMax);
      }),
    );
  });
});
