import { describe, expect, it } from 'vitest';
import { auditLock } from './lock-audit.mjs';

const wants = (name: string) => ({ version: '1.0.0', optionalDependencies: { [name]: '1.0.0' } });

describe('the audit of the lock', () => {
  it.each([
    ['beside it', { 'node_modules/a': wants('a-linux'), 'node_modules/a-linux': {} }],
    ['inside it', { 'node_modules/a': wants('a-linux'), 'node_modules/a/node_modules/a-linux': {} }],
    ['two folders up', { 'node_modules/b/node_modules/a': wants('a-linux'), 'node_modules/a-linux': {} }],
    ['above a workspace', { 'packages/x': wants('a-linux'), 'node_modules/a-linux': {} }],
    ['above a package of a workspace', { 'packages/x/node_modules/a': wants('n'), 'packages/x/node_modules/n': {} }],
  ])('is content with an optional package that lies %s', (_where, packages) => {
    expect(auditLock(packages)).toEqual([]);
  });

  it('names an optional package that is nowhere, or only where Node does not look', () => {
    const packages = { 'node_modules/a': wants('a-darwin'), 'node_modules/b/node_modules/a-darwin': {} };
    expect(auditLock(packages)).toEqual([
      'package-lock.json: node_modules/a@1.0.0 wants a-darwin, which is not in the lock; pin an older release',
    ]);
  });
});
