import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs } from './backoff.js';

const BACKOFF = { delayMsMin: 100, delayMsMax: 1_000 };

describe('backoffMs', () => {
  it.each([
    [1, 0, 50],
    [1, 1, 100],
    [2, 1, 200],
    [4, 1, 800],
    [5, 1, 1_000],
    [5, 0, 500],
    [5_000, 1, 1_000],
  ])('after attempt %i with random %d waits %i ms', (attempt, random, expected) => {
    expect(backoffMs(attempt, random, BACKOFF)).toBe(expected);
  });

  it('never waits longer than the maximum nor less than half of what it doubled to', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
        const delayMs = backoffMs(attempt, random, BACKOFF);
        expect(delayMs).toBeLessThanOrEqual(1_000);
        expect(delayMs).toBeGreaterThanOrEqual(Math.min(100 * 2 ** (attempt - 1), 1_000) / 2);
      }),
    );
  });
});
