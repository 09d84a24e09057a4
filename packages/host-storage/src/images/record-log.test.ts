import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CLOSED, digestOf, firstLine, lastLine, readLog, valueLine } from './record-log.js';

const text = (...lines: string[]): string => lines.map((line) => `${line}\n`).join('');

describe('a record as a log', () => {
  const one = valueLine(null, 'one');
  const two = valueLine(digestOf(one), 'two');
  const late = valueLine(digestOf(one), 'late');
  const closing = lastLine(digestOf(two));

  it.each([
    ['nothing', null, { version: null, value: null, isClosed: false }],
    ['an empty object', '', { version: null, value: null, isClosed: false }],
    ['the first line', text(one), { version: digestOf(one), value: 'one', isClosed: false }],
    ['the last line of several', text(one, two), { version: digestOf(two), value: 'two', isClosed: false }],
    ['the first of two over one line', text(one, two, late), { version: digestOf(two), value: 'two', isClosed: false }],
    [
      'no second beginning',
      text(one, valueLine(null, 'mine')),
      { version: digestOf(one), value: 'one', isClosed: false },
    ],
    ['a line once', text(one, two, one, two), { version: digestOf(two), value: 'two', isClosed: false }],
    [
      'past what is no line of ours',
      text('{', one, '[]', 'null'),
      { version: digestOf(one), value: 'one', isClosed: false },
    ],
    ['the end of a chapter', text(one, two, closing), { version: digestOf(closing), value: 'two', isClosed: true }],
    [
      'nothing after the end',
      text(one, two, closing, late),
      { version: digestOf(closing), value: 'two', isClosed: true },
    ],
    ['a closed chapter', `${CLOSED}${text(one)}`, { version: null, value: null, isClosed: true }],
  ])('reads %s', (_what, read, expected) => expect(readLog(read)).toEqual(expected));

  it('goes on in the next chapter with what it ended with, whoever begins it and how often', () => {
    const ended = readLog(text(one, two, closing));
    const first = firstLine(ended);
    const next = valueLine(digestOf(first), 'three');
    expect(readLog(text(first))).toEqual({ version: digestOf(first), value: 'two', isClosed: false });
    expect(readLog(text(first, first, next, first)).value).toBe('three');
  });

  it('lets one of several writers win each round, and no line of a loser counts later', () => {
    const Rounds = fc.array(fc.array(fc.nat(3), { minLength: 1, maxLength: 4 }), { maxLength: 20 });
    fc.assert(
      fc.property(Rounds, (rounds) => {
        let log = '';
        const won: string[] = [];
        for (const [round, writers] of rounds.entries()) {
          // All have read the same.
          const { version } = readLog(log);
          for (const writer of writers) log += text(valueLine(version, `${round}/${writer}`));
          won.push(`${round}/${writers[0]}`);
          expect(readLog(log).value).toBe(won.at(-1));
        }
      }),
    );
  });
});
