import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GuestDialogue, type GuestOutcome } from './guest-dialogue.js';

const SYNC_ID = 4711;
const SYNCED = Buffer.concat([Buffer.from([0xff]), Buffer.from(`{"return": ${SYNC_ID}}\n`)]);

/** What a dialogue makes of these bytes, cut into chunks of that size. */
function hear(bytes: Buffer, chunkBytes = bytes.length, answerBytesMax = 1000): GuestOutcome | null {
  const dialogue = new GuestDialogue(SYNC_ID, answerBytesMax, () => undefined);
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const outcome = dialogue.take(bytes.subarray(at, at + chunkBytes));
    if (outcome !== null) return outcome;
  }
  return null;
}

const after = (text: string | Buffer): Buffer => Buffer.concat([SYNCED, Buffer.from(text)]);

describe('a dialogue with a guest agent', () => {
  it.each<[string, Buffer, GuestOutcome | null]>([
    ['an answer', after('{"return":{"pid":7}}\n'), { kind: 'answered', value: { pid: 7 } }],
    ['nothing yet', after('{"return":'), null],
    ['an answer without our sync', Buffer.from('{"return":{}}\n'), null],
    ['the sync of another', Buffer.concat([Buffer.from([0xff]), Buffer.from('{"return":1}\n{"return":{}}\n')]), null],
    [
      'a refusal',
      after('{"error":{"class":"GenericError","desc":"no\\u001b[31m"}}\n'),
      { kind: 'refused', reason: 'no [31m' },
    ],
    ['a refusal without reason', after('{"error":7}\n'), { kind: 'refused', reason: 'no reason given' }],
    ['a list instead of an answer', after('[]\n'), { kind: 'broken', why: 'it answered nonsense' }],
    ['half a line of JSON', after('{"return":\n'), { kind: 'broken', why: 'it answered nonsense' }],
    ['NUL', after('\0\n'), { kind: 'broken', why: 'it answered nonsense' }],
    ['more than was asked for', after('x'.repeat(1001)), { kind: 'oversized' }],
  ])('is told %s', (_what, bytes, outcome) => {
    expect(hear(bytes)).toEqual(outcome);
  });

  it('comes to the same however the bytes are cut, whatever was left in the channel before', () => {
    const leftover = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(leftover, fc.integer({ min: 1, max: 50 }), (before, chunkBytes) => {
        const bytes = Buffer.concat([before, after('{"return":"well"}\n')]);
        expect(hear(bytes, chunkBytes)).toEqual({ kind: 'answered', value: 'well' });
      }),
    );
  });
});
