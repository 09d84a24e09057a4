import { GIB, KIB } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import { amountBytesOf, pressureLevelOf } from './host-pressure.js';
import { pressureFinding } from './kernel-pressure.js';
import { parseAvailable, parseStalls } from './parse-pressure.js';

describe('the level of pressure', () => {
  it.each<[string, number, { some: number; full: number } | null, string]>([
    ['plenty, no stalls', 60, { some: 0, full: 0 }, 'none'],
    ['plenty, stalls of some cgroup', 60, { some: 90, full: 80 }, 'none'],
    ['ample is where stalls begin to count', 24, { some: 10, full: 0 }, 'high'],
    ['all tasks stall', 24, { some: 2, full: 2 }, 'high'],
    ['stalls fade', 24, { some: 5, full: 1 }, 'medium'],
    ['stalls are gone', 24, { some: 1, full: 0.4 }, 'none'],
    ['at the high mark', 15, { some: 0, full: 0 }, 'none'],
    ['between the marks', 14, { some: 0, full: 0 }, 'medium'],
    ['at the low mark', 8, { some: 0, full: 0 }, 'medium'],
    ['below the low mark', 7, { some: 0, full: 0 }, 'high'],
    ['without PSI: below the low mark', 7, null, 'high'],
    ['without PSI: between the marks', 10, null, 'medium'],
    ['without PSI: above the high mark', 16, null, 'none'],
  ])('%s: %s percent available', (_what, percent, stallPercent, level) => {
    expect(pressureLevelOf({ totalBytes: 100 * GIB, availableBytes: percent * GIB, stallPercent })).toBe(level);
  });

  it.each<[string, number, 'high' | 'medium' | 'none', number]>([
    ['takes what is missing to half-way between the marks', 5, 'high', 64 * 0.115 - 5],
    ['takes a quantum where only stalls tell', 90, 'high', 1],
    ['gives what is above the high mark', 20, 'none', 10.4],
    ['gives a quantum at the mark', 9.6, 'none', 1],
    ['moves nothing in between', 10, 'medium', 0],
  ])('%s', (_what, availableGib, level, amountGib) => {
    const pressure = { totalBytes: 64 * GIB, availableBytes: availableGib * GIB, stallPercent: null };
    expect(amountBytesOf(pressure, level) / GIB).toBeCloseTo(amountGib, 5);
  });
});

describe('what the kernel says', () => {
  it.each<[string, string, { some: number; full: number } | null]>([
    [
      'stalls',
      'some avg10=12.50 avg60=1.00 avg300=0.00 total=99\nfull avg10=3.00 avg60=0.00 avg300=0.00 total=9\n',
      { some: 12.5, full: 3 },
    ],
    [
      'all of the time',
      'some avg10=100.00 avg60=1 avg300=0 total=9\nfull avg10=100.00 avg60=0 avg300=0 total=9\n',
      { some: 100, full: 100 },
    ],
    ['only half of it', 'some avg10=12.50 avg60=1.00 avg300=0.00 total=99\n', null],
    ['nothing', '', null],
    ['nonsense', 'some avg10=-1 avg60=1\nfull avg10=x avg60=1', null],
  ])('of stalls: %s', (_what, text, stalls) => {
    expect(parseStalls(text)).toEqual(stalls);
  });

  it('of memory', () => {
    const text = 'MemTotal:       24684092 kB\nMemFree:        21087076 kB\nMemAvailable:   23139692 kB\n';
    expect(parseAvailable(text)).toEqual({ totalBytes: 24684092 * KIB, availableBytes: 23139692 * KIB });
    expect(() => parseAvailable('MemTotal: 1 kB\n')).toThrow('MemAvailable');
  });

  it('is a finding: without PSI the operator is told what to do about it', () => {
    const pressure = { totalBytes: GIB, availableBytes: GIB, stallPercent: null };
    expect(pressureFinding(pressure)).toMatchObject({
      value: 'available memory alone',
      remedy: expect.stringContaining('psi=1'),
    });
    expect(pressureFinding({ ...pressure, stallPercent: { some: 0, full: 0 } })).toMatchObject({ remedy: null });
  });
});
