import { open } from 'node:fs/promises';
import { DomainError } from '@kvorum/schema';

/** `kvj1.<sha256 of the CA certificate, hex>.<32 random bytes, base64url>`. */
const JOIN_TOKEN_PATTERN = /^kvj1\.([0-9a-f]{64})\.([A-Za-z0-9_-]{43})$/;
/** A token is 113 characters; whatever is longer is another file. */
const JOIN_FILE_BYTES_MAX = 4096;

export interface JoinToken {
  readonly caFingerprintSha256: string;
  readonly secret: string;
}

/** The refusals never repeat the text: it may be a secret. */
export function parseJoinToken(text: string): JoinToken {
  const match = JOIN_TOKEN_PATTERN.exec(text.trim());
  const [, caFingerprintSha256, secret] = match ?? [];
  if (caFingerprintSha256 === undefined || secret === undefined) {
    throw new DomainError('invalid_request', 'the join token is not of the form kvj1.<fingerprint>.<secret>');
  }
  return { caFingerprintSha256, secret };
}

/** Throws `invalid_request` if the file cannot be read or holds no join token. */
export async function readJoinToken(path: string): Promise<JoinToken> {
  let text: string;
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(JOIN_FILE_BYTES_MAX), position: 0 });
      text = buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new DomainError('invalid_request', `the join token file ${path} cannot be read`, { cause });
  }
  return parseJoinToken(text);
}
