import { DomainError } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { hashApiSecret } from './api-secret.js';
import { findTokenBySecret } from './token.store.js';

/**
 * The actor behind a bearer token. Asks the database each time: one indexed lookup, so that a revocation holds at once in
 * every process. Throws unauthenticated, always with the same text: it does not tell which tokens were real once.
 */
export async function authenticate(cp: ControlPlane, bearer: string): Promise<Actor> {
  const secretSha256 = hashApiSecret(bearer);
  const token = secretSha256 === null ? null : await findTokenBySecret(cp.database, secretSha256);
  if (token === null || token.revokedAt !== null || Date.parse(token.expiresAt) <= cp.clock().getTime()) {
    throw new DomainError('unauthenticated', 'the API token is unknown, expired or revoked');
  }
  return { tokenId: token.id, tokenName: token.name, role: token.role, projectId: token.projectId };
}
