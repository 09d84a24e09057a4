import { createHash } from 'node:crypto';
import type { Idempotency } from '@kvorum/control-plane';
import { IDEMPOTENCY_KEY_LENGTH_MAX } from '@kvorum/schema';
import { z } from 'zod';
import { canonicalJson } from './canonical-json.js';

/** Visible ASCII without the comma, which would be two headers folded into one. */
export const IdempotencyKey = z
  .string()
  .min(1)
  .max(IDEMPOTENCY_KEY_LENGTH_MAX)
  .regex(/^[\x21-\x2b\x2d-\x7e]*$/, { error: 'must be visible ASCII characters without a comma' })
  .meta({
    description:
      'Makes the request safe to repeat: the same key with the same request returns the first answer, with another request it is refused',
  });

export interface RequestIdentity {
  readonly method: string;
  /** Pattern of the route, not the address: the parameters count on their own. */
  readonly url: string;
  readonly params: unknown;
  /** As validated, with defaults filled in. */
  readonly body: unknown;
}

/** The key with the SHA-256 of the request it stands for; undefined without a key. */
export const idempotencyOf = (key: string | undefined, request: RequestIdentity): Idempotency | undefined =>
  key === undefined ? undefined : { key, requestSha256: createHash('sha256').update(canonicalJson(request)).digest() };
