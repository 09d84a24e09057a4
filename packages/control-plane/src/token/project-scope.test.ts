import { newId, type ProjectId, type TokenId } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import type { Actor } from '../control-plane.js';
import { listedProject, requireProject, requireWholeSite } from './project-scope.js';

const own = newId<ProjectId>();
const other = newId<ProjectId>();
const actorOf = (projectId: ProjectId | null): Actor => ({
  tokenId: newId<TokenId>(),
  tokenName: 'test',
  role: 'operator',
  projectId,
});

const refusalOf = (check: () => unknown): string => {
  try {
    check();
    return 'allowed';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('the scope of a token', () => {
  it.each([
    ['its own project', actorOf(own), own, 'allowed'],
    ['another project', actorOf(own), other, 'not_found'],
    ['an object of the site', actorOf(own), null, 'not_found'],
    ['any project, with a token for the site', actorOf(null), other, 'allowed'],
  ])('decides about %s', (_, actor, projectId, expected) => {
    expect(refusalOf(() => requireProject(actor, projectId, 'the VM'))).toBe(expected);
  });

  it('refuses matters of the whole site to a token of one project, and says that they exist', () => {
    expect(refusalOf(() => requireWholeSite(actorOf(own)))).toBe('forbidden');
    expect(refusalOf(() => requireWholeSite(actorOf(null)))).toBe('allowed');
  });

  it.each([
    ['the whole site, nothing asked', actorOf(null), undefined, null],
    ['the whole site, one asked', actorOf(null), other, other],
    ['one project, nothing asked', actorOf(own), undefined, own],
  ])('limits lists: %s', (_, actor, asked, expected) => {
    expect(listedProject(actor, asked)).toBe(expected);
  });

  it('does not list another project', () => {
    expect(refusalOf(() => listedProject(actorOf(own), other))).toBe('not_found');
  });
});
