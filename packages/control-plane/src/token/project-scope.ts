import { DomainError, type ProjectId } from '@kvorum/schema';
import type { Actor } from '../actor.js';

/**
 * The project rules, once. A token of a project sees that project alone: everything of others is not_found, so that ids
 * cannot be probed. What belongs to the whole site needs a token without a project: forbidden.
 */
export const canSeeProject = (actor: Actor, projectId: string | null): boolean =>
  actor.projectId === null || actor.projectId === projectId;

/** Throws not_found, naming `what`, when the object is of a project the actor must not know of. */
export function requireProject(actor: Actor, projectId: string | null, what: string, field?: string): void {
  if (!canSeeProject(actor, projectId)) throw notFound(what, field);
}

export function requireWholeSite(actor: Actor): void {
  if (actor.projectId === null) return;
  throw new DomainError('forbidden', 'this needs a token for the whole site; yours is limited to one project');
}

/** The project a list is limited to; null: all. */
export function listedProject(actor: Actor, asked: ProjectId | undefined): ProjectId | null {
  if (asked !== undefined) requireProject(actor, asked, 'the project', 'query.projectId');
  return asked ?? actor.projectId;
}

/** `field`: where the request named it, if it was not in the path. */
export const notFound = (what: string, field?: string): DomainError =>
  new DomainError('not_found', `${what} was not found`, {
    details: field === undefined ? {} : { fields: [{ field, message: `${what} was not found` }] },
  });
