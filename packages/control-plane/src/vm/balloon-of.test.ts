import { GIB, MIB } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import { balloonOf } from './balloon-of.js';

describe('the balloon of a new VM', () => {
  it.each<[string, Parameters<typeof balloonOf>, ReturnType<typeof balloonOf>]>([
    ['may give half when nothing is said', [undefined, GIB], { minimumBytes: 512 * MIB, shares: 1000 }],
    ['may give half in whole MiB', [undefined, 101 * MIB], { minimumBytes: 50 * MIB, shares: 1000 }],
    ['keeps at least the smallest VM', [undefined, 48 * MIB], { minimumBytes: 32 * MIB, shares: 1000 }],
    ['keeps its minimum', [{ enabled: true, minimumBytes: GIB, shares: 7 }, GIB], { minimumBytes: GIB, shares: 7 }],
    ['is left alone when asked for', [{ enabled: false, shares: 1000 }, GIB], null],
  ])('%s', (_what, args, expected) => {
    expect(balloonOf(...args)).toEqual(expected);
  });

  it('has no minimum above its memory', () => {
    const request = { enabled: true, minimumBytes: GIB + MIB, shares: 1000 };
    expect(() => balloonOf(request, GIB)).toThrow('at most the memory of the flavor');
  });
});
