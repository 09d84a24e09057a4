import type { ProjectId, Role, Token, TokenId } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import type { ApiToken as TokenRow } from '../database/generated/client.js';
import type { PageBounds } from '../page-cursor.js';

const tokenOf = (row: TokenRow): Token => ({
  id: row.id as TokenId,
  name: row.name,
  role: row.role as Role,
  projectId: row.projectId as ProjectId | null,
  expiresAt: row.expiresAt.toISOString(),
  revokedAt: row.revokedAt?.toISOString() ?? null,
  createdAt: row.createdAt.toISOString(),
});

export async function insertToken(tx: Tx, token: Token, secretSha256: Buffer): Promise<void> {
  await tx.apiToken.create({
    data: {
      id: token.id,
      name: token.name,
      role: token.role,
      projectId: token.projectId,
      secretSha256: Uint8Array.from(secretSha256),
      expiresAt: token.expiresAt,
      createdAt: token.createdAt,
    },
  });
}

export async function findTokens(database: Database, bounds: PageBounds): Promise<Token[]> {
  const rows = await database.apiToken.findMany({
    where: bounds.afterId === null ? {} : { id: { gt: bounds.afterId } },
    orderBy: { id: 'asc' },
    take: bounds.rowCountMax,
  });
  return rows.map(tokenOf);
}

export async function findToken(tx: Tx | Database, id: string): Promise<Token | null> {
  const row = await tx.apiToken.findUnique({ where: { id } });
  return row === null ? null : tokenOf(row);
}

/** By the hash alone: an index lookup on 256 random bits tells an attacker nothing through its timing. */
export async function findTokenBySecret(database: Database, secretSha256: Buffer): Promise<Token | null> {
  const row = await database.apiToken.findUnique({ where: { secretSha256: Uint8Array.from(secretSha256) } });
  return row === null ? null : tokenOf(row);
}

/** Revoking twice keeps the first time. */
export async function markTokenRevoked(tx: Tx, id: string, now: Date): Promise<boolean> {
  const { count } = await tx.apiToken.updateMany({ where: { id, revokedAt: null }, data: { revokedAt: now } });
  return count === 1;
}

/** Serialises those who would make the first token; held until the transaction ends. */
export async function lockTokensAndCount(tx: Tx): Promise<number> {
  await tx.$executeRaw`LOCK TABLE api_tokens IN SHARE ROW EXCLUSIVE MODE`;
  return tx.apiToken.count();
}
