import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Block, BlockReader } from './server-sent-blocks.js';

const event = (type: string, data: string): Block => ({ id: null, retryMs: null, event: { type, data } });
const blocksOf = (...pieces: readonly string[]): Block[] => {
  const reader = new BlockReader();
  return pieces.flatMap((piece) => [...reader.read(piece)]);
};

describe('the event stream format', () => {
  const table: [string, string, Block[]][] = [
    ['an event of no type', 'data: a\n\n', [event('message', 'a')]],
    ['an event with a type', 'event: vm\ndata: {"a":1}\n\n', [event('vm', '{"a":1}')]],
    ['data of several lines', 'data: a\ndata:  b\ndata\n\n', [event('message', 'a\n b\n')]],
    ['one space after the colon is no data, and none is needed', 'data:a\n\n', [event('message', 'a')]],
    ['an id with an event', 'id: 7\ndata: a\n\n', [{ id: '7', retryMs: null, event: { type: 'message', data: 'a' } }]],
    ['an id alone', ': position\nid: 7\n\n', [{ id: '7', retryMs: null, event: null }]],
    ['a wait', 'retry: 2000\n\n', [{ id: null, retryMs: 2000, event: null }]],
    ['a wait that is no number', 'retry: soon\n\n', [{ id: null, retryMs: null, event: null }]],
    ['lines that end with CRLF', 'event: vm\r\ndata: a\r\n\r\n', [event('vm', 'a')]],
    ['a field nobody knows', 'colour: red\ndata: a\n\n', [event('message', 'a')]],
    ['a block that is not ended', 'data: a\n\ndata: b\n', [event('message', 'a')]],
  ];
  it.each(table)('%s', (_name, text, expected) => {
    expect(blocksOf(text)).toEqual(expected);
  });

  it('does not depend on where the pieces are cut', () => {
    const text = 'retry: 5\n\nid: 1\nevent: vm\ndata: a\ndata: b\n\n: beat\n\nid: 2\ndata: c\r\n\r\n';
    fc.assert(
      fc.property(fc.array(fc.nat({ max: text.length })), (cuts) => {
        const at = [0, ...cuts.toSorted((left, right) => left - right), text.length];
        const pieces = at.slice(1).map((end, index) => text.slice(at[index], end));
        expect(blocksOf(...pieces)).toEqual(blocksOf(text));
      }),
    );
  });
});
