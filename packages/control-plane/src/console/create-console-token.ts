import { createHash, randomBytes } from 'node:crypto';
import { type ConsoleKind, DomainError, type IssuedConsoleToken, newId, type VmId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { getVm } from '../vm/vms.js';
import { insertConsoleToken } from './console-token.store.js';

/** From the answer to the opening of a WebSocket: a program needs a second, a person who copies an address some more. */
const VALID_MS = 60_000;
const GOOD_PER_VM_MAX = 32;
/** Another prefix than API tokens have, so that neither is taken for the other. */
const PREFIX = 'kvc1_';
const SECRET_BYTES = 32;
const FORM = /^kvc1_[A-Za-z0-9_-]{43}$/;

/** Null: it cannot be a console token. */
export const hashConsoleSecret = (secret: string): Buffer | null =>
  FORM.test(secret) ? createHash('sha256').update(secret).digest() : null;

/** A permission to open one console of one VM once, soon. Throws not_found, rate_limited. */
export async function createConsoleToken(
  cp: ControlPlane,
  actor: Actor,
  vmId: VmId,
  kind: ConsoleKind,
): Promise<IssuedConsoleToken> {
  await getVm(cp, actor, vmId);
  const token = PREFIX + randomBytes(SECRET_BYTES).toString('base64url');
  const secretSha256 = hashConsoleSecret(token);
  if (secretSha256 === null) throw new TypeError('a new secret has the form of one');
  const now = cp.clock();
  const expiresAt = new Date(now.getTime() + VALID_MS);
  const row = { id: newId(), vmId, kind, apiTokenId: actor.tokenId, secretSha256, expiresAt, now };
  if (!(await withTransaction(cp.database, (tx) => insertConsoleToken(tx, row, GOOD_PER_VM_MAX)))) {
    throw new DomainError(
      'rate_limited',
      `${GOOD_PER_VM_MAX} tokens for consoles of this VM are good still; use those`,
    );
  }
  return { kind, token, expiresAt: expiresAt.toISOString(), path: `/v1/vms/${vmId}/console/${kind}` };
}
