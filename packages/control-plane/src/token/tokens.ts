import {
  type CreateTokenRequest,
  type IssuedToken,
  type ListTokensQuery,
  newId,
  type Page,
  type Token,
  type TokenId,
} from '@kvorum/schema';
import type { z } from 'zod';
import type { Actor, ControlPlane } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { pageBounds, pageOfRows } from '../page-cursor.js';
import { findProject } from '../project/project.store.js';
import { hashApiSecret, newApiSecret } from './api-secret.js';
import { notFound, requireWholeSite } from './project-scope.js';
import { findToken, findTokens, insertToken, lockTokensAndCount, markTokenRevoked } from './token.store.js';

/** The secret is in this answer and nowhere else. Throws not_found for an unknown project. */
export async function createToken(cp: ControlPlane, actor: Actor, request: CreateTokenRequest): Promise<IssuedToken> {
  requireWholeSite(actor);
  return withTransaction(cp.database, async (tx) => {
    if (request.projectId !== undefined && (await findProject(tx, request.projectId)) === null) {
      throw notFound('the project', 'body.projectId');
    }
    return issue(tx, cp, request);
  });
}

/** One year: the first admin has the time to set up better ones. */
const FIRST_TOKEN_VALID_SECONDS = 31_536_000;

/**
 * The first admin token, made when there is none at all; null otherwise. `keep` stores its secret before the token becomes
 * valid: a crash between the two leaves a secret that opens nothing, and the next start makes another.
 */
export async function createFirstToken(
  cp: ControlPlane,
  keep: (secret: string) => Promise<void> = async () => {},
): Promise<IssuedToken | null> {
  return withTransaction(cp.database, async (tx) => {
    if ((await lockTokensAndCount(tx)) > 0) return null;
    const request = { name: 'first-admin', role: 'admin', validForSeconds: FIRST_TOKEN_VALID_SECONDS } as const;
    const token = await issue(tx, cp, request);
    await keep(token.secret);
    return token;
  });
}

async function issue(tx: Tx, cp: ControlPlane, request: CreateTokenRequest): Promise<IssuedToken> {
  const now = cp.clock();
  const secret = newApiSecret();
  const secretSha256 = hashApiSecret(secret);
  if (secretSha256 === null) throw new TypeError('a new secret has the form of one');
  const token: Token = {
    id: newId<TokenId>(),
    name: request.name,
    role: request.role,
    projectId: request.projectId ?? null,
    expiresAt: new Date(now.getTime() + request.validForSeconds * 1000).toISOString(),
    revokedAt: null,
    createdAt: now.toISOString(),
  };
  await insertToken(tx, token, secretSha256);
  await recordTokenEvent(tx, token, 'token.created');
  return { ...token, secret };
}

export async function listTokens(
  cp: ControlPlane,
  actor: Actor,
  query: z.infer<typeof ListTokensQuery>,
): Promise<Page<Token>> {
  requireWholeSite(actor);
  return pageOfRows(await findTokens(cp.database, pageBounds(query)), query);
}

/** Takes effect at once in every process. Revoking again changes nothing. Throws not_found. */
export async function revokeToken(cp: ControlPlane, actor: Actor, tokenId: TokenId): Promise<Token> {
  requireWholeSite(actor);
  return withTransaction(cp.database, async (tx) => {
    const isNew = await markTokenRevoked(tx, tokenId, cp.clock());
    const token = await findToken(tx, tokenId);
    if (token === null) throw notFound('the token');
    if (isNew) await recordTokenEvent(tx, token, 'token.revoked');
    return token;
  });
}

/** Events of tokens are for the whole site: a project's viewer does not read who may do what. */
const recordTokenEvent = (tx: Tx, token: Token, type: string): Promise<void> =>
  recordEvent(tx, {
    type,
    projectId: null,
    resourceKind: 'token',
    resourceId: token.id,
    data: { name: token.name, role: token.role, projectId: token.projectId },
  });
