import type { CreateFlavorRequest, Flavor, FlavorId } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import type { PageBounds } from '../page-cursor.js';

interface FlavorRow {
  readonly id: string;
  readonly name: string;
  readonly vcpuCount: number;
  readonly memoryBytes: bigint;
  readonly rootDiskBytes: bigint;
  readonly createdAt: Date;
}

const flavorOf = (row: FlavorRow): Flavor => ({
  id: row.id as FlavorId,
  name: row.name,
  vcpuCount: row.vcpuCount,
  memoryBytes: Number(row.memoryBytes),
  rootDiskBytes: Number(row.rootDiskBytes),
  createdAt: row.createdAt.toISOString(),
});

/** Null: the name is taken. */
export async function insertFlavor(
  database: Tx | Database,
  id: FlavorId,
  flavor: CreateFlavorRequest,
  now: Date,
): Promise<Flavor | null> {
  const count = await database.$executeRaw`
    INSERT INTO flavors (id, name, vcpu_count, memory_bytes, root_disk_bytes, created_at)
    VALUES (${id}::uuid, ${flavor.name}, ${flavor.vcpuCount}, ${flavor.memoryBytes}::bigint,
            ${flavor.rootDiskBytes}::bigint, ${now}::timestamptz)
    ON CONFLICT (name) WHERE deleted_at IS NULL DO NOTHING`;
  return count === 1 ? { ...flavor, id, createdAt: now.toISOString() } : null;
}

export async function findFlavor(database: Tx | Database, id: string): Promise<Flavor | null> {
  const row = await database.flavor.findUnique({ where: { id, deletedAt: null } });
  return row === null ? null : flavorOf(row);
}

/** Those of the flavors that there are, kept from being deleted until the transaction ends. */
export async function holdFlavors(tx: Tx, ids: readonly string[]): Promise<ReadonlyMap<string, Flavor>> {
  await tx.$executeRaw`
    SELECT FROM flavors WHERE id = ANY (${[...ids]}::uuid[]) AND deleted_at IS NULL ORDER BY id FOR KEY SHARE`;
  return findFlavorsById(tx, ids);
}

export async function findFlavorsById(
  database: Tx | Database,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Flavor>> {
  const rows = await database.flavor.findMany({ where: { id: { in: [...ids] }, deletedAt: null } });
  return new Map(rows.map((row) => [row.id, flavorOf(row)]));
}

export async function findFlavors(
  database: Database,
  filter: { name: string | undefined },
  bounds: PageBounds,
): Promise<Flavor[]> {
  const rows = await database.flavor.findMany({
    where: {
      deletedAt: null,
      ...(bounds.afterId === null ? {} : { id: { gt: bounds.afterId } }),
      ...(filter.name === undefined ? {} : { name: filter.name }),
    },
    orderBy: { id: 'asc' },
    take: bounds.rowCountMax,
  });
  return rows.map(flavorOf);
}

/** Locks the flavor against `holdFlavors` and counts the VMs that have it. Null: there is no such flavor. */
export async function lockFlavorAndCountVms(tx: Tx, id: string): Promise<number | null> {
  const locked = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM flavors WHERE id = ${id}::uuid AND deleted_at IS NULL FOR UPDATE`;
  if (locked.length === 0) return null;
  return tx.vm.count({ where: { flavorId: id, deletedAt: null } });
}

export async function markFlavorDeleted(tx: Tx, id: string, now: Date): Promise<void> {
  await tx.flavor.update({ where: { id }, data: { deletedAt: now } });
}
