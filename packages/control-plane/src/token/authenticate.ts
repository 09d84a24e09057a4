import { DomainError, type Token, type TokenId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { hashApiSecret } from './api-secret.js';
import { findToken, findTokenBySecret } from './token.store.js';

/** Who a token of this id speaks for; null: it is not good any more. */
export async function findActiveActor(cp: ControlPlane, tokenId: TokenId): Promise<Actor | null> {
  const token = await findToken(cp.database, tokenId);
  return token === null || !isActive(cp, token) ? null : actorOf(token);
}

const isActive = (cp: ControlPlane, token: Token): boolean =>
  token.revokedAt === null && Date.parse(token.expiresAt) > cp.clock().getTime();

const actorOf = ({ id, name, role, projectId }: Token): Actor => ({ tokenId: id, tokenName: name, role, projectId });

/**
 * The actor behind a bearer token. Asks the database each time: one indexed lookup, so that a revocation holds at once in
 * every process. Throws unauthenticated, always with the same text: it does not tell which tokens were real once.
 */
export async function authenticate(cp: ControlPlane, bearer: string): Promise<Actor> {
  const secretSha256 = hashApiSecret(bearer);
  const token = secretSha256 === null ? null : await findTokenBySecret(cp.database, secretSha256);
  if (token === null || !isActive(cp, token)) {
    throw new DomainError('unauthenticated', 'the API token is unknown, expired or revoked');
  }
  return actorOf(token);
}
