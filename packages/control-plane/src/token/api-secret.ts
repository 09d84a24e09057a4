import { createHash, randomBytes } from 'node:crypto';

const PREFIX = 'kvt1_';
/** 256 bits: beyond guessing, so that a plain SHA-256 is enough to keep it by. */
const SECRET_BYTES = 32;
/** The prefix lets secret scanners find a leaked token; base64url of 32 bytes has 43 characters. */
const TOKEN_FORM = /^kvt1_[A-Za-z0-9_-]{43}$/;

export const newApiSecret = (): string => PREFIX + randomBytes(SECRET_BYTES).toString('base64url');

/** What is stored, or null when the text cannot be a token of ours. */
export const hashApiSecret = (secret: string): Buffer | null =>
  TOKEN_FORM.test(secret) ? createHash('sha256').update(secret).digest() : null;
