import { ERROR_CATALOGUE, ERROR_CODES, type ErrorRow } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import { readText } from './checkout.js';
import { readTable } from './docs-table.js';

const RUNNER: Readonly<Record<ErrorRow['runner'], RegExp>> = {
  retry: /again/,
  unwind: /undoes/,
  stop: /stops/,
  stuck: /person/,
};

describe('docs/errors.md', () => {
  const rows = readTable(readText('docs/errors.md'));

  it('has every code of the catalogue once, and no other', () => {
    expect(rows.map(([code]) => code)).toEqual(ERROR_CODES);
  });

  it.each(rows.map((row) => [row[0] as string, row] as const))(
    'is right about %s',
    (code, [, http, grpc, runner, remedy]) => {
      const row: ErrorRow = ERROR_CATALOGUE[code as keyof typeof ERROR_CATALOGUE];
      expect([Number(http), grpc, remedy]).toEqual([row.http, row.grpc, row.remedy]);
      expect(runner).toMatch(RUNNER[row.runner]);
    },
  );
});

describe('the catalogue', () => {
  it.each(ERROR_CODES)('%s: its parts agree with each other', (code) => {
    const { http, grpc, runner, remedy } = ERROR_CATALOGUE[code] as ErrorRow;
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(remedy).toMatch(/^[A-Z].*\.$/);
    expect(http).toBeGreaterThanOrEqual(400);
    // Whoever may try again by himself is told so by both protocols.
    if (runner === 'retry') expect([429, 503]).toContain(http);
    if (grpc === 'UNAVAILABLE') expect(runner).toBe('retry');
  });
});
