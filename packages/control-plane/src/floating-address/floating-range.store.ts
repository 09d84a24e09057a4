import type { FloatingRange, FloatingRangeId, FloatingSpan } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import { Prisma } from '../database/generated/client.js';
import type { PageBounds } from '../page-cursor.js';

interface RangeRow {
  readonly id: string;
  readonly name: string;
  readonly first_address: string;
  readonly last_address: string;
  readonly address_count: number;
  readonly allocated_count: number;
  readonly created_at: Date;
}

const rangeOf = (row: RangeRow): FloatingRange => ({
  id: row.id as FloatingRangeId,
  name: row.name,
  firstAddress: row.first_address,
  lastAddress: row.last_address,
  addressCount: row.address_count,
  allocatedCount: row.allocated_count,
  createdAt: row.created_at.toISOString(),
});

const COLUMNS = Prisma.sql`
  r.id, r.name, host(r.first_address) AS first_address, host(r.last_address) AS last_address, r.created_at,
  (r.last_address - r.first_address + 1)::int AS address_count,
  (SELECT count(*)::int FROM floating_addresses f WHERE f.range_id = r.id) AS allocated_count`;

export async function findFloatingRange(database: Database | Tx, id: string): Promise<FloatingRange | null> {
  const [row] = await database.$queryRaw<RangeRow[]>`
    SELECT ${COLUMNS} FROM floating_ranges r WHERE r.id = ${id}::uuid`;
  return row === undefined ? null : rangeOf(row);
}

export async function findFloatingRanges(
  database: Database,
  filter: { readonly name: string | undefined },
  bounds: PageBounds,
): Promise<FloatingRange[]> {
  const rows = await database.$queryRaw<RangeRow[]>`
    SELECT ${COLUMNS} FROM floating_ranges r
     WHERE (${bounds.afterId}::uuid IS NULL OR r.id > ${bounds.afterId}::uuid)
       AND (${filter.name ?? null}::text IS NULL OR r.name = ${filter.name ?? null}::text)
     ORDER BY r.id LIMIT ${bounds.rowCountMax}::int`;
  return rows.map(rangeOf);
}

/** Locks the range against new addresses until the transaction ends. Null: there is none. */
export async function lockFloatingRange(tx: Tx, id: string): Promise<FloatingRange | null> {
  await tx.$queryRaw`SELECT 1 FROM floating_ranges WHERE id = ${id}::uuid FOR UPDATE`;
  // A statement of its own: the one that waited for the lock looks at the addresses as they were before it waited.
  return findFloatingRange(tx, id);
}

/** False: there is a range of that name, or one that has some of its addresses. */
export async function insertFloatingRange(
  tx: Tx,
  range: { readonly id: FloatingRangeId; readonly name: string; readonly span: FloatingSpan; readonly now: Date },
): Promise<boolean> {
  const count = await tx.$executeRaw`
    INSERT INTO floating_ranges (id, name, first_address, last_address, created_at)
    VALUES (${range.id}::uuid, ${range.name}, ${range.span.first}::inet, ${range.span.last}::inet, ${range.now}::timestamptz)
    ON CONFLICT DO NOTHING`;
  return count === 1;
}

/** What keeps `insertFloatingRange` from its values; null: it is gone meanwhile. */
export async function findRangeInTheWay(
  tx: Tx,
  { name, span }: { readonly name: string; readonly span: FloatingSpan },
): Promise<FloatingRange | null> {
  const [row] = await tx.$queryRaw<RangeRow[]>`
    SELECT ${COLUMNS} FROM floating_ranges r
     WHERE r.name = ${name} OR (r.first_address <= ${span.last}::inet AND r.last_address >= ${span.first}::inet)
     ORDER BY r.name = ${name} DESC, r.id LIMIT 1`;
  return row === undefined ? null : rangeOf(row);
}

export async function deleteFloatingRangeRow(tx: Tx, id: string): Promise<void> {
  await tx.floatingRange.deleteMany({ where: { id } });
}
