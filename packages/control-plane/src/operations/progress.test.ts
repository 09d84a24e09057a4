import { describe, expect, it } from 'vitest';
import { nextProgress, progressOf } from './progress.js';

const copying = { ...progressOf('copy'), doneBytes: 1_000, totalBytes: 5_000 };

describe('nextProgress', () => {
  it('tells speed and time left from the bytes done since', () => {
    expect(nextProgress(copying, { doneBytes: 2_000 }, 500)).toEqual({
      phase: 'copy',
      doneBytes: 2_000,
      totalBytes: 5_000,
      bytesPerSecond: 2_000,
      etaSeconds: 2,
    });
  });

  it('evens out the speed', () => {
    const before = { ...copying, bytesPerSecond: 1_000 };
    expect(nextProgress(before, { doneBytes: 1_000 }, 1_000).bytesPerSecond).toBe(700);
  });

  it('knows no speed before a second number, nor when the bytes began anew', () => {
    expect(nextProgress(progressOf('copy'), { doneBytes: 10, totalBytes: 20 }, 100).bytesPerSecond).toBeNull();
    expect(nextProgress(copying, { doneBytes: 0 }, 100).bytesPerSecond).toBeNull();
  });

  it('starts anew with another phase', () => {
    expect(nextProgress(copying, { phase: 'verify' }, 100)).toEqual(progressOf('verify'));
  });
});
