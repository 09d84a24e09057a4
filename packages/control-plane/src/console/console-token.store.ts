import type { ConsoleKind, TokenId, VmId } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';

export interface NewConsoleToken {
  readonly id: string;
  readonly vmId: VmId;
  readonly kind: ConsoleKind;
  readonly apiTokenId: TokenId;
  readonly secretSha256: Buffer;
  readonly expiresAt: Date;
  readonly now: Date;
}

/** False: the VM has `countMax` that are good still. Two that race may both be let in: the bound is against piles, not exact. */
export async function insertConsoleToken(tx: Tx, token: NewConsoleToken, countMax: number): Promise<boolean> {
  const count = await tx.$executeRaw`
    INSERT INTO console_tokens (id, vm_id, kind, api_token_id, secret_sha256, expires_at, created_at)
    SELECT ${token.id}::uuid, ${token.vmId}::uuid, ${token.kind}, ${token.apiTokenId}::uuid,
           ${Uint8Array.from(token.secretSha256)}, ${token.expiresAt}, ${token.now}
     WHERE (SELECT count(*) FROM console_tokens
             WHERE vm_id = ${token.vmId}::uuid AND used_at IS NULL AND expires_at > ${token.now}) < ${countMax}::int`;
  return count === 1;
}

/**
 * Takes the token out of use and returns whose API token stands behind it; null: it is none, not for this console, used or expired.
 * One conditional statement: of several replicas that are shown the same token at once, the row's lock lets one through.
 */
export async function consumeConsoleToken(
  tx: Tx,
  secretSha256: Buffer,
  vmId: VmId,
  kind: ConsoleKind,
  now: Date,
): Promise<TokenId | null> {
  const rows = await tx.$queryRaw<{ api_token_id: string }[]>`
    UPDATE console_tokens SET used_at = ${now}
     WHERE secret_sha256 = ${Uint8Array.from(secretSha256)} AND vm_id = ${vmId}::uuid AND kind = ${kind}
       AND used_at IS NULL AND expires_at > ${now}
    RETURNING api_token_id`;
  return (rows[0]?.api_token_id as TokenId | undefined) ?? null;
}

export const forgetConsoleTokens = (database: Database, before: Date, rowCountMax: number): Promise<number> =>
  database.$executeRaw`
    DELETE FROM console_tokens WHERE id IN (
      SELECT id FROM console_tokens WHERE expires_at < ${before} ORDER BY expires_at LIMIT ${rowCountMax})`;
