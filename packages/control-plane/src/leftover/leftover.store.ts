import type { HostId, Leftover, LeftoverId, LeftoverKind, StoragePoolId } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import { Prisma } from '../database/generated/client.js';
import type { PageBounds } from '../page-cursor.js';

/** An operation that ends just now, and a host's answer that was under way, are no leftovers. */
const SETTLED_MS = 600_000;

export interface SeenLeftover {
  readonly id: string;
  readonly kind: Exclude<LeftoverKind, 'volume'>;
  readonly name: string;
  readonly ownerId: string;
  readonly sizeBytes: number;
}

interface LeftoverRow {
  readonly id: string;
  readonly host_id: string;
  readonly host_name: string;
  readonly kind: LeftoverKind;
  readonly name: string;
  readonly owner_id: string | null;
  readonly pool_id: string | null;
  readonly pool_name: string | null;
  readonly size_bytes: bigint;
  readonly first_seen_at: Date;
  readonly last_seen_at: Date;
}

const REASONS: Readonly<Record<LeftoverKind, string>> = {
  disks:
    'disks of a VM that its host has no record of; look into the quarantine folder of the host before you delete them',
  disk: 'a disk that its VM does not have; look into the quarantine folder of the host before you delete it',
  firmware: 'UEFI variables or the state of a TPM, of a VM that its host has no record of',
  template:
    'the host has this template, and the site has none such; it can be deleted once no VM of the host rests on it',
  volume:
    'no volume of its storage pool names it; look into quarantine/ on the pool, or into the trash of Ceph, before you delete it',
  vm: 'the host has this VM, and the site has none such on this host; deleting it here ends it and removes its disks',
};

const leftoverOf = (row: LeftoverRow): Leftover => ({
  id: row.id as LeftoverId,
  host: { id: row.host_id as HostId, name: row.host_name },
  kind: row.kind,
  name: row.name,
  pool: row.pool_id === null ? null : { id: row.pool_id as StoragePoolId, name: row.pool_name ?? '' },
  isQuarantined: row.kind !== 'vm' && row.kind !== 'template',
  ownerId: row.owner_id,
  sizeBytes: Number(row.size_bytes),
  reason: REASONS[row.kind],
  firstSeenAt: row.first_seen_at.toISOString(),
  lastSeenAt: row.last_seen_at.toISOString(),
});

/** Of a revoked host nothing is told any more: it is asked for nothing. */
const LEFTOVERS = Prisma.sql`
  SELECT l.id, l.host_id, h.name AS host_name, l.kind, l.name, l.owner_id, l.pool_id, p.name AS pool_name, l.size_bytes,
         l.first_seen_at, l.last_seen_at
    FROM leftovers l JOIN hosts h ON h.id = l.host_id AND h.state <> 'revoked'
    LEFT JOIN storage_pools p ON p.id = l.pool_id`;

export async function findLeftovers(
  database: Database,
  hostId: string | null,
  bounds: PageBounds,
): Promise<Leftover[]> {
  const rows = await database.$queryRaw<LeftoverRow[]>`
    ${LEFTOVERS}
     WHERE (${bounds.afterId}::uuid IS NULL OR l.id > ${bounds.afterId}::uuid)
       AND (${hostId}::uuid IS NULL OR l.host_id = ${hostId}::uuid)
     ORDER BY l.id LIMIT ${bounds.rowCountMax}::int`;
  return rows.map(leftoverOf);
}

export async function findLeftover(database: Database, id: string): Promise<Leftover | null> {
  const [row] = await database.$queryRaw<LeftoverRow[]>`${LEFTOVERS} WHERE l.id = ${id}::uuid`;
  return row === undefined ? null : leftoverOf(row);
}

/** A connected host whose turn it is. Whoever gets it is alone with it for the time. Null: none is due. */
export async function takeDueHost(database: Database, periodMs: number): Promise<string | null> {
  const period = Prisma.sql`${periodMs}::int * interval '1 millisecond'`;
  const [row] = await database.$queryRaw<{ host_id: string }[]>`
    INSERT INTO host_sweeps (host_id, swept_at)
    SELECT h.id, clock_timestamp() FROM hosts h LEFT JOIN host_sweeps s ON s.host_id = h.id
     WHERE h.state <> 'revoked' AND h.connectivity = 'connected'
       AND (s.swept_at IS NULL OR s.swept_at <= clock_timestamp() - ${period})
     ORDER BY s.swept_at NULLS FIRST, h.id LIMIT 1
    ON CONFLICT (host_id) DO UPDATE SET swept_at = excluded.swept_at
     WHERE host_sweeps.swept_at <= clock_timestamp() - ${period}
    RETURNING host_id`;
  return row?.host_id ?? null;
}

/** It counts as looked at from now on. */
export async function noteSweep(database: Database, hostId: string): Promise<void> {
  await database.$executeRaw`
    INSERT INTO host_sweeps (host_id, swept_at) VALUES (${hostId}::uuid, clock_timestamp())
    ON CONFLICT (host_id) DO UPDATE SET swept_at = excluded.swept_at`;
}

/**
 * Those of the VMs that the site has not on this host: unknown, deleted, or on another one. A VM with room here, or with an operation that
 * may be bringing it here, is none.
 */
export async function findForeignVms(
  database: Database | Tx,
  hostId: string,
  vmIds: readonly string[],
): Promise<string[]> {
  const rows = await database.$queryRaw<{ id: string }[]>`
    SELECT told.id FROM unnest(${[...vmIds]}::uuid[]) AS told (id) LEFT JOIN vms v ON v.id = told.id
     WHERE NOT EXISTS (SELECT FROM reservations r WHERE r.vm_id = told.id AND r.host_id = ${hostId}::uuid)
       AND NOT EXISTS (SELECT FROM operations o
                        WHERE o.id = v.operation_id AND o.state NOT IN ('succeeded', 'failed', 'cancelled'))
       AND (v.id IS NULL
            OR ((v.deleted_at IS NOT NULL OR v.host_id IS DISTINCT FROM ${hostId}::uuid)
                AND v.updated_at < clock_timestamp() - ${SETTLED_MS}::int * interval '1 millisecond'))
     ORDER BY told.id`;
  return rows.map(({ id }) => id);
}

/** Those of the templates that the site has not on this host, or has no more. */
export async function findForeignTemplates(
  database: Database,
  hostId: string,
  templateIds: readonly string[],
): Promise<string[]> {
  const rows = await database.$queryRaw<{ id: string }[]>`
    SELECT told.id FROM unnest(${[...templateIds]}::uuid[]) AS told (id) LEFT JOIN vm_templates t ON t.id = told.id
     WHERE t.id IS NULL OR t.host_id <> ${hostId}::uuid
        OR t.deleted_at < clock_timestamp() - ${SETTLED_MS}::int * interval '1 millisecond'
     ORDER BY told.id`;
  return rows.map(({ id }) => id);
}

/** Content of all images of the site. */
export async function findImageDigests(database: Database): Promise<string[]> {
  const rows = await database.$queryRaw<{ sha256: string }[]>`
    SELECT DISTINCT sha256 FROM images WHERE deleted_at IS NULL AND sha256 IS NOT NULL`;
  return rows.map(({ sha256 }) => sha256);
}

/** Makes the record of a host what it has told. Returns what was not known before. */
export async function writeLeftovers(tx: Tx, hostId: string, seen: readonly SeenLeftover[]): Promise<SeenLeftover[]> {
  // Two sweeps of one host, one after the other.
  await tx.$queryRaw`SELECT 1 FROM host_sweeps WHERE host_id = ${hostId}::uuid FOR NO KEY UPDATE`;
  const rows = await tx.$queryRaw<{ id: string }[]>`
    INSERT INTO leftovers AS l (id, host_id, kind, name, owner_id, size_bytes, first_seen_at, last_seen_at)
    SELECT s.id, ${hostId}::uuid, s.kind, s.name, s."ownerId", s."sizeBytes", clock_timestamp(), clock_timestamp()
      FROM jsonb_to_recordset(${JSON.stringify(seen)}::jsonb)
             AS s (id uuid, kind text, name text, "ownerId" uuid, "sizeBytes" bigint)
    ON CONFLICT (host_id, kind, name) WHERE pool_id IS NULL DO UPDATE SET size_bytes = excluded.size_bytes, last_seen_at = excluded.last_seen_at
    RETURNING l.id`;
  await tx.$executeRaw`
    DELETE FROM leftovers WHERE host_id = ${hostId}::uuid AND pool_id IS NULL AND id <> ALL (${rows.map(({ id }) => id)}::uuid[])`;
  const ids = new Set(rows.map(({ id }) => id));
  return seen.filter(({ id }) => ids.has(id));
}

export async function deleteLeftoverRow(tx: Tx, id: string): Promise<void> {
  await tx.$executeRaw`DELETE FROM leftovers WHERE id = ${id}::uuid`;
}
