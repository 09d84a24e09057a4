import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Six hours, as EC2 has it. */
export const TOKEN_SECONDS_MAX = 21_600;
const EXPIRY_BYTES = 6;
const KEY_BYTES = 32;

/** Whom a token is for: it is good for nobody else. */
export interface Asker {
  readonly networkId: string;
  readonly address: string;
  readonly instanceId: string;
}

/**
 * Tokens that nothing has to be remembered of: their end, and a seal over it and over whom they are for. They end with the process
 * that gave them; who holds one then is told 401, and asks for another.
 */
export class MetadataTokens {
  readonly #key = randomBytes(KEY_BYTES);

  issue(asker: Asker, seconds: number, nowMs: number): string {
    const expiry = Buffer.alloc(EXPIRY_BYTES);
    expiry.writeUIntBE(nowMs + seconds * 1000, 0, EXPIRY_BYTES);
    return Buffer.concat([expiry, this.#seal(expiry, asker)]).toString('base64url');
  }

  isGood(token: string, asker: Asker, nowMs: number): boolean {
    const bytes = Buffer.from(token, 'base64url');
    const expiry = bytes.subarray(0, EXPIRY_BYTES);
    const expected = this.#seal(expiry, asker);
    const seal = bytes.subarray(EXPIRY_BYTES);
    return (
      seal.length === expected.length && timingSafeEqual(seal, expected) && expiry.readUIntBE(0, EXPIRY_BYTES) > nowMs
    );
  }

  #seal(expiry: Buffer, { networkId, address, instanceId }: Asker): Buffer {
    return createHmac('sha256', this.#key).update(expiry).update(`${networkId} ${address} ${instanceId}`).digest();
  }
}
