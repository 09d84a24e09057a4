import type { Database, Tx } from '../database/database.js';

/**
 * The operation that carries out a plan now, or null. Until the transaction ends, nobody else begins one: a plan counts on the
 * fleet as it is, and two would take each other's room.
 */
export async function lockPlans(tx: Tx): Promise<string | null> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtext('kvorum plans'))`;
  const [row] = await tx.$queryRaw<{ id: string }[]>`
    SELECT id FROM operations
     WHERE kind IN ('host.drain', 'fleet.rebalance') AND state NOT IN ('succeeded', 'failed', 'cancelled')
     ORDER BY id LIMIT 1`;
  return row?.id ?? null;
}

/** By id, of those that were asked for already. */
export async function findOperationStates(
  database: Database,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const rows = await database.operation.findMany({
    where: { id: { in: [...ids] } },
    select: { id: true, state: true },
  });
  return new Map(rows.map(({ id, state }) => [id, state]));
}
