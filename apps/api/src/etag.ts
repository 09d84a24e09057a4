import { DomainError } from '@kvorum/schema';

/** RFC 9110 section 8.8.3: an opaque value in double quotes. Ours is the generation, and always strong. */
export const etagOf = (generation: number): string => `"${generation}"`;

/** No object ever has this generation: generations count from 1. */
const NO_GENERATION = -1;
const FIELD = 'header.if-match';
/** 1 to 16 digits: Number.MAX_SAFE_INTEGER has 16. */
const ENTITY_TAG = /^(W\/)?"([\x21\x23-\x7e]*)"$/;
const GENERATION = /^[1-9][0-9]{0,15}$/;

/**
 * The generation an If-Match header asks for; undefined: any (no header, or `*`). RFC 9110 section 13.1.1 wants the strong
 * comparison, so a weak tag, or one we never gave out, matches nothing. Throws `invalid_request` for what is no entity tag.
 */
export function generationWanted(ifMatch: string | undefined): number | undefined {
  if (ifMatch === undefined) return undefined;
  const value = ifMatch.trim();
  if (value === '*') return undefined;
  const tag = ENTITY_TAG.exec(value);
  if (tag === null) {
    const message = 'must be "*" or one entity tag in double quotes, as the ETag header carried it';
    throw new DomainError('invalid_request', `${FIELD}: ${message}`, {
      details: { fields: [{ field: FIELD, message }] },
    });
  }
  const [, weak, opaque] = tag;
  if (weak !== undefined || opaque === undefined || !GENERATION.test(opaque)) return NO_GENERATION;
  const generation = Number(opaque);
  return Number.isSafeInteger(generation) ? generation : NO_GENERATION;
}
