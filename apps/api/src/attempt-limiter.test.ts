import { describe, expect, it } from 'vitest';
import { AttemptLimiter } from './attempt-limiter.js';

const limits = { failureCountMax: 3, windowMs: 1000, keyCountMax: 2 };
const failing = (limiter: AttemptLimiter, key: string, times: number, nowMs: number) => {
  for (let i = 0; i < times; i += 1) limiter.recordFailure(key, nowMs);
};

describe('the limiter of failed attempts', () => {
  it('lets a key fail up to the bound and says how long to wait after it', () => {
    const limiter = new AttemptLimiter(limits);
    failing(limiter, 'a', 2, 0);
    expect(limiter.waitMs('a', 10)).toBe(0);
    limiter.recordFailure('a', 10);
    expect(limiter.waitMs('a', 400)).toBe(600);
    expect(limiter.waitMs('b', 400)).toBe(0);
  });

  it('begins anew when the window has ended', () => {
    const limiter = new AttemptLimiter(limits);
    failing(limiter, 'a', 3, 0);
    expect(limiter.waitMs('a', 1000)).toBe(0);
    limiter.recordFailure('a', 1000);
    expect(limiter.waitMs('a', 1001)).toBe(0);
  });

  it('forgets the oldest key when it holds too many', () => {
    const limiter = new AttemptLimiter(limits);
    failing(limiter, 'a', 3, 0);
    failing(limiter, 'b', 3, 1);
    failing(limiter, 'c', 3, 2);
    expect(limiter.waitMs('a', 3)).toBe(0);
    expect(limiter.waitMs('b', 3)).toBe(998);
    expect(limiter.waitMs('c', 3)).toBe(999);
  });
});
