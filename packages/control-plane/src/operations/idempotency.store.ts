import { DomainError } from '@kvorum/schema';
import type { Idempotency } from '../control-plane.js';
import type { Database, Tx } from '../database/database.js';
import type { Json } from './define-operation.js';

/** What a mutation answered, kept under its key for whoever asks again. */
export interface IdempotentAnswer {
  /** HTTP status of the first answer. */
  readonly status: number;
  readonly resourceId: string;
  readonly operationId: string | null;
  /** Body of an answer that is not an operation. */
  readonly response: Json;
}

/**
 * Claims a key in the mutation's own transaction, before it changes anything. Returns null if the mutation is to be done
 * (also when no key was sent), or the answer that the same request got before. Throws `idempotency_conflict` when the key
 * stands for another request.
 *
 * Safe against duplicates that run at the same time: the second INSERT waits on the unique index until the first
 * transaction has ended; if that was rolled back the second one claims the key, else it reads the committed answer (at
 * READ COMMITTED each statement has a snapshot of its own).
 */
export async function claimIdempotencyKey(
  tx: Tx,
  tokenId: string,
  idempotency: Idempotency | undefined,
  answer: { readonly status: number; readonly resourceId: string; readonly operationId?: string | null },
): Promise<IdempotentAnswer | null> {
  if (await claimIdempotencyKeys(tx, [{ tokenId, idempotency, answer }])) return null;
  const stored = await findIdempotentAnswer(tx, tokenId, idempotency);
  if (stored === null) throw new TypeError('a key that another transaction holds has a row');
  return stored;
}

export interface KeyClaim {
  readonly tokenId: string;
  readonly idempotency: Idempotency | undefined;
  readonly answer: { readonly status: number; readonly resourceId: string; readonly operationId?: string | null };
}

/** Claims the keys of all that have one. False: some stand for a request already, and the transaction is to be given up. */
export async function claimIdempotencyKeys(tx: Tx, claims: readonly KeyClaim[]): Promise<boolean> {
  const keys = claims.flatMap(({ tokenId, idempotency, answer }) =>
    idempotency === undefined
      ? []
      : [{ ...answer, tokenId, key: idempotency.key, requestSha256: idempotency.requestSha256.toString('hex') }],
  );
  if (keys.length === 0) return true;
  const count = await tx.$executeRaw`
    INSERT INTO idempotency_keys (token_id, key, request_sha256, status, resource_id, operation_id)
    SELECT "tokenId", key, decode("requestSha256", 'hex'), status, "resourceId", "operationId"
      FROM jsonb_to_recordset(${JSON.stringify(keys)}::jsonb)
        AS k ("tokenId" uuid, key text, "requestSha256" text, status int, "resourceId" uuid, "operationId" uuid)
     ORDER BY "tokenId", key
    ON CONFLICT (token_id, key) DO NOTHING`;
  return count === keys.length;
}

/**
 * The answer that the same request got before, without waiting for one that is under way; null: none yet. Throws
 * `idempotency_conflict` when the key stands for another request.
 */
export async function findIdempotentAnswer(
  database: Database | Tx,
  tokenId: string,
  idempotency: Idempotency | undefined,
): Promise<IdempotentAnswer | null> {
  if (idempotency === undefined) return null;
  const stored = await database.idempotencyKey.findUnique({
    where: { tokenId_key: { tokenId, key: idempotency.key } },
  });
  if (stored === null) return null;
  if (!idempotency.requestSha256.equals(stored.requestSha256)) {
    throw new DomainError('idempotency_conflict', 'this Idempotency-Key was used for a different request');
  }
  return {
    status: stored.status,
    resourceId: stored.resourceId,
    operationId: stored.operationId,
    response: stored.response as Json,
  };
}

/** Keeps the body of an answer that is not an operation, in the transaction that claimed the key. */
export async function keepIdempotentResponse(
  tx: Tx,
  tokenId: string,
  idempotency: Idempotency | undefined,
  response: Json,
): Promise<void> {
  if (idempotency === undefined) return;
  await tx.$executeRaw`
    UPDATE idempotency_keys SET response = ${JSON.stringify(response)}::jsonb
    WHERE token_id = ${tokenId}::uuid AND key = ${idempotency.key}`;
}

/** Forgets keys older than `before`, at most `rowCountMax` in one go; returns how many. */
export const forgetIdempotencyKeys = (database: Database, before: Date, rowCountMax: number): Promise<number> =>
  database.$executeRaw`
    DELETE FROM idempotency_keys WHERE (token_id, key) IN (
      SELECT token_id, key FROM idempotency_keys WHERE created_at < ${before} ORDER BY created_at LIMIT ${rowCountMax}
      FOR UPDATE SKIP LOCKED)`;
