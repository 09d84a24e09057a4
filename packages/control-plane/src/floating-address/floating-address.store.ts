import type { FloatingAddress, FloatingAddressId, FloatingRangeId, HostId, PortId, ProjectId } from '@kvorum/schema';
import { FLOATING_TRAIT } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import { Prisma } from '../database/generated/client.js';
import type { PageBounds } from '../page-cursor.js';

interface AddressRow {
  readonly id: string;
  readonly project_id: string;
  readonly range_id: string;
  readonly address: string;
  readonly port_id: string | null;
  readonly host_id: string | null;
  readonly generation: bigint;
  readonly created_at: Date;
  readonly updated_at: Date;
}

const addressOf = (row: AddressRow): FloatingAddress => ({
  id: row.id as FloatingAddressId,
  projectId: row.project_id as ProjectId,
  rangeId: row.range_id as FloatingRangeId,
  address: row.address,
  portId: row.port_id as PortId | null,
  hostId: row.host_id as HostId | null,
  generation: Number(row.generation),
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
});

/** A VM that is being moved has its addresses where it was, until it is there no more. */
const COLUMNS = Prisma.sql`
  f.id, f.project_id, f.range_id, host(f.address) AS address, f.port_id, f.generation, f.created_at, f.updated_at,
  (SELECT r.host_id FROM ports p JOIN reservations r ON r.vm_id = p.vm_id AND r.purpose = 'run'
    WHERE p.id = f.port_id) AS host_id`;

export async function findFloatingAddress(database: Database | Tx, id: string): Promise<FloatingAddress | null> {
  const [row] = await database.$queryRaw<AddressRow[]>`
    SELECT ${COLUMNS} FROM floating_addresses f WHERE f.id = ${id}::uuid`;
  return row === undefined ? null : addressOf(row);
}

export interface FloatingAddressFilter {
  /** Null: of all. */
  readonly projectId: ProjectId | null;
  readonly rangeId: FloatingRangeId | undefined;
  readonly portId: PortId | undefined;
  readonly address: string | undefined;
}

export async function findFloatingAddresses(
  database: Database,
  filter: FloatingAddressFilter,
  bounds: PageBounds,
): Promise<FloatingAddress[]> {
  const rows = await database.$queryRaw<AddressRow[]>`
    SELECT ${COLUMNS} FROM floating_addresses f
     WHERE (${bounds.afterId}::uuid IS NULL OR f.id > ${bounds.afterId}::uuid)
       AND (${filter.projectId}::uuid IS NULL OR f.project_id = ${filter.projectId}::uuid)
       AND (${filter.rangeId ?? null}::uuid IS NULL OR f.range_id = ${filter.rangeId ?? null}::uuid)
       AND (${filter.portId ?? null}::uuid IS NULL OR f.port_id = ${filter.portId ?? null}::uuid)
       AND (${filter.address ?? null}::inet IS NULL OR f.address = ${filter.address ?? null}::inet)
     ORDER BY f.id LIMIT ${bounds.rowCountMax}::int`;
  return rows.map(addressOf);
}

export async function lockFloatingAddress(tx: Tx, id: string): Promise<FloatingAddress | null> {
  await tx.$queryRaw`SELECT 1 FROM floating_addresses WHERE id = ${id}::uuid FOR UPDATE`;
  return findFloatingAddress(tx, id);
}

/** Locks the project for those who take addresses for it, and counts what it has. */
export async function lockAndCountAddresses(tx: Tx, projectId: string): Promise<number> {
  await tx.$queryRaw`SELECT 1 FROM projects WHERE id = ${projectId}::uuid FOR NO KEY UPDATE`;
  return tx.floatingAddress.count({ where: { projectId } });
}

/** Ranges that may have a free address: the one asked for, or all, in the order of their ids. */
export async function findRangesFor(
  tx: Tx,
  wanted: { readonly rangeId: FloatingRangeId | null; readonly address: string | null },
): Promise<string[]> {
  const rows = await tx.$queryRaw<{ id: string }[]>`
    SELECT id FROM floating_ranges
     WHERE (${wanted.rangeId}::uuid IS NULL OR id = ${wanted.rangeId}::uuid)
       AND (${wanted.address}::inet IS NULL OR ${wanted.address}::inet BETWEEN first_address AND last_address)
     ORDER BY id`;
  return rows.map(({ id }) => id);
}

/** Lets one after the other choose an address of the range, until the transaction ends. False: the range is gone. */
export async function lockAddressesOfRange(tx: Tx, rangeId: string): Promise<boolean> {
  const rows = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM floating_ranges WHERE id = ${rangeId}::uuid FOR NO KEY UPDATE`;
  return rows.length === 1;
}

export interface NewFloatingAddress {
  readonly id: FloatingAddressId;
  readonly projectId: ProjectId;
  /** Null: one that is free. */
  readonly address: string | null;
  readonly now: Date;
}

/**
 * Inserts the address asked for, or the first free one behind the last that was chosen, going around at the end, as ports do: one that
 * was given back is not given to somebody else at once. Null: none is free, or the one asked for is taken. The caller holds the lock
 * of the range; were it forgotten, the unique index would still refuse the second.
 */
export async function insertFloatingAddress(
  tx: Tx,
  rangeId: string,
  { id, projectId, address, now }: NewFloatingAddress,
): Promise<string | null> {
  const [row] = await tx.$queryRaw<{ address: string }[]>`
    WITH range AS (
      SELECT id, first_address, last_offset, (last_address - first_address + 1)::int AS address_count
        FROM floating_ranges WHERE id = ${rangeId}::uuid),
    chosen AS (
      SELECT o.address_offset, a.address
        FROM range,
             LATERAL (SELECT (range.last_offset + i) % range.address_count AS address_offset
                        FROM (SELECT generate_series(1, range.address_count) AS i) s) o,
             LATERAL (SELECT range.first_address + o.address_offset AS address) a
       WHERE ${address}::inet IS NULL
         AND NOT EXISTS (SELECT FROM floating_addresses f WHERE f.address = a.address)
       LIMIT 1),
    moved AS (UPDATE floating_ranges SET last_offset = chosen.address_offset FROM chosen WHERE id = ${rangeId}::uuid)
    INSERT INTO floating_addresses (id, range_id, project_id, address, created_at, updated_at)
    SELECT ${id}::uuid, range.id, ${projectId}::uuid, c.address, ${now}::timestamptz, ${now}::timestamptz
      FROM range, (SELECT address FROM chosen UNION ALL SELECT ${address}::inet WHERE ${address}::inet IS NOT NULL) c
    ON CONFLICT DO NOTHING
    RETURNING host(address) AS address`;
  return row?.address ?? null;
}

/** What another has of a port; null: no address leads to it. */
export async function findAddressOfPort(tx: Tx, portId: string): Promise<FloatingAddress | null> {
  const [row] = await tx.$queryRaw<AddressRow[]>`
    SELECT ${COLUMNS} FROM floating_addresses f WHERE f.port_id = ${portId}::uuid`;
  return row === undefined ? null : addressOf(row);
}

/** Counts the change. */
export async function writeFloatingPort(tx: Tx, id: string, portId: PortId | null, now: Date): Promise<void> {
  await tx.$executeRaw`
    UPDATE floating_addresses
       SET port_id = ${portId}::uuid, generation = generation + 1, updated_at = ${now}::timestamptz
     WHERE id = ${id}::uuid`;
}

export async function deleteFloatingAddressRow(tx: Tx, id: string): Promise<void> {
  await tx.floatingAddress.deleteMany({ where: { id } });
}

/** Does a port of these have a floating address? Its VM needs a host that can answer for it. */
export async function hasFloatingAddress(database: Database | Tx, portIds: readonly string[]): Promise<boolean> {
  if (portIds.length === 0) return false;
  const rows = await database.$queryRaw<unknown[]>`
    SELECT 1 FROM floating_addresses WHERE port_id = ANY (${[...portIds]}::uuid[]) LIMIT 1`;
  return rows.length > 0;
}

/** Hosts at hand that cannot answer for floating addresses: that of the port's VM, or all if it is on none. Null: somebody can. */
export async function findHostWithout(tx: Tx, portId: string): Promise<{ readonly hostName: string | null } | null> {
  const [own] = await tx.$queryRaw<{ name: string; can: boolean }[]>`
    SELECT h.name, ${FLOATING_TRAIT} = ANY (h.traits) AS can
      FROM ports p JOIN reservations r ON r.vm_id = p.vm_id AND r.purpose = 'run' JOIN hosts h ON h.id = r.host_id
     WHERE p.id = ${portId}::uuid`;
  if (own !== undefined) return own.can ? null : { hostName: own.name };
  const others = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM hosts WHERE state <> 'revoked' AND ${FLOATING_TRAIT} = ANY (traits) LIMIT 1`;
  return others.length > 0 ? null : { hostName: null };
}
