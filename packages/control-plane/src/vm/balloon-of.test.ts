import { GIB, MIB, PLAIN_HARDWARE } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import { balloonOf } from './balloon-of.js';

const ORDINARY = PLAIN_HARDWARE.memory;

describe('the balloon of a new VM', () => {
  it.each<[string, Parameters<typeof balloonOf>, ReturnType<typeof balloonOf>]>([
    ['may give half when nothing is said', [undefined, GIB, ORDINARY], { minimumBytes: 512 * MIB, shares: 1000 }],
    ['may give half in whole MiB', [undefined, 101 * MIB, ORDINARY], { minimumBytes: 50 * MIB, shares: 1000 }],
    ['keeps at least the smallest VM', [undefined, 48 * MIB, ORDINARY], { minimumBytes: 32 * MIB, shares: 1000 }],
    [
      'keeps its minimum',
      [{ enabled: true, minimumBytes: GIB, shares: 7 }, GIB, ORDINARY],
      { minimumBytes: GIB, shares: 7 },
    ],
    ['is off for huge pages', [undefined, GIB, { ...ORDINARY, hugePageBytes: 2 * MIB }], null],
    ['is off for locked memory', [undefined, GIB, { ...ORDINARY, isLocked: true }], null],
    ['is left alone when asked for', [{ enabled: false, shares: 1000 }, GIB, ORDINARY], null],
  ])('%s', (_what, args, expected) => {
    expect(balloonOf(...args)).toEqual(expected);
  });

  it.each([
    ['huge pages', { ...ORDINARY, hugePageBytes: 2 * MIB }],
    ['locked memory', { ...ORDINARY, isLocked: true }],
  ] as const)('is refused with %s, and the field is named', (what, memory) => {
    expect(() => balloonOf({ enabled: true, shares: 1000 }, GIB, memory)).toThrow(
      expect.objectContaining({
        message: expect.stringContaining(`does not go with ${what}`),
        details: { fields: [{ field: 'body.balloon.enabled', message: expect.any(String) }] },
      }),
    );
  });

  it('has no minimum above its memory', () => {
    const request = { enabled: true, minimumBytes: GIB + MIB, shares: 1000 };
    expect(() => balloonOf(request, GIB, ORDINARY)).toThrow('at most the memory of the VM');
  });
});
