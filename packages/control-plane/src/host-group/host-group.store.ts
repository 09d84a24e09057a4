import type {
  Accelerator,
  HostFacts,
  HostGroup,
  HostGroupId,
  HostId,
  UpdateHostGroupRequest,
  VmId,
} from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import { storedFactsOf } from '../host/hardware-shapes.js';
import type { PageBounds } from '../page-cursor.js';

const WITH_MEMBERS = { include: { hosts: { select: { id: true }, orderBy: { id: 'asc' } } } } as const;

type GroupRow = NonNullable<Awaited<ReturnType<typeof readRow>>>;
const readRow = (database: Database | Tx, id: string) =>
  database.hostGroup.findUnique({ where: { id }, ...WITH_MEMBERS });

const groupOf = (row: GroupRow): HostGroup => ({
  id: row.id as HostGroupId,
  name: row.name,
  description: row.description,
  policy: row.policy as HostGroup['policy'],
  reserve: { hostFailures: row.reserveHostFailures },
  hostIds: row.hosts.map(({ id }) => id as HostId),
  generation: Number(row.generation),
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
});

export async function findHostGroup(database: Database | Tx, id: string): Promise<HostGroup | null> {
  const row = await readRow(database, id);
  return row === null ? null : groupOf(row);
}

export async function findHostGroups(
  database: Database,
  filter: { name: string | undefined },
  bounds: PageBounds,
): Promise<HostGroup[]> {
  const rows = await database.hostGroup.findMany({
    where: {
      ...(bounds.afterId === null ? {} : { id: { gt: bounds.afterId } }),
      ...(filter.name === undefined ? {} : { name: filter.name }),
    },
    orderBy: { id: 'asc' },
    take: bounds.rowCountMax,
    ...WITH_MEMBERS,
  });
  return rows.map(groupOf);
}

/** False: the name is taken. */
export async function insertHostGroup(
  tx: Tx,
  group: Pick<HostGroup, 'id' | 'name' | 'description' | 'policy' | 'reserve'> & { now: Date },
): Promise<boolean> {
  const count = await tx.$executeRaw`
    INSERT INTO host_groups (id, name, description, policy, reserve_host_failures, created_at, updated_at)
    VALUES (${group.id}::uuid, ${group.name}, ${group.description}, ${group.policy},
            ${group.reserve.hostFailures}::int, ${group.now}::timestamptz, ${group.now}::timestamptz)
    ON CONFLICT (name) DO NOTHING`;
  return count === 1;
}

/**
 * Locks the group until the transaction ends: of two changes of its members the second judges the baseline that the first
 * one left. Null: there is no such group.
 */
export async function lockHostGroup(tx: Tx, id: string): Promise<HostGroup | null> {
  await tx.$queryRaw`SELECT 1 FROM host_groups WHERE id = ${id}::uuid FOR UPDATE`;
  return findHostGroup(tx, id);
}

/** Counts the change; undefined keeps what is there. False: the name is taken. */
export async function writeHostGroup(
  tx: Tx,
  id: string,
  change: Pick<UpdateHostGroupRequest, 'name' | 'description' | 'policy' | 'reserve'> & { now: Date },
): Promise<boolean> {
  const count = await tx.$executeRaw`
    UPDATE host_groups
       SET name = coalesce(${change.name ?? null}::text, name),
           description = coalesce(${change.description ?? null}::text, description),
           policy = coalesce(${change.policy ?? null}::text, policy),
           reserve_host_failures = coalesce(${change.reserve?.hostFailures ?? null}::int, reserve_host_failures),
           generation = generation + 1, updated_at = ${change.now}::timestamptz
     WHERE id = ${id}::uuid
       AND NOT EXISTS (SELECT FROM host_groups o WHERE o.name = ${change.name ?? null}::text AND o.id <> ${id}::uuid)`;
  return count === 1;
}

/**
 * Makes hosts members, in the order of their ids so that two changes never wait for each other. Only those that are in no
 * group: the condition is checked again once the row's lock is held. Returns how many.
 */
export const addMembers = (tx: Tx, groupId: string, hostIds: readonly string[]): Promise<number> =>
  tx.$executeRaw`
    WITH locked AS (
      SELECT id FROM hosts WHERE id = ANY (${[...hostIds]}::uuid[]) ORDER BY id FOR NO KEY UPDATE)
    UPDATE hosts SET host_group_id = ${groupId}::uuid
      FROM locked WHERE hosts.id = locked.id AND hosts.host_group_id IS NULL`;

export const removeMembers = (tx: Tx, groupId: string, hostIds: readonly string[]): Promise<number> =>
  tx.$executeRaw`
    WITH locked AS (
      SELECT id FROM hosts WHERE id = ANY (${[...hostIds]}::uuid[]) ORDER BY id FOR NO KEY UPDATE)
    UPDATE hosts SET host_group_id = NULL
      FROM locked WHERE hosts.id = locked.id AND hosts.host_group_id = ${groupId}::uuid`;

export const deleteHostGroupRow = async (tx: Tx, id: string): Promise<void> => {
  await tx.hostGroup.delete({ where: { id } });
};

/** A host as far as groups go by it. */
export interface GroupHost {
  readonly id: HostId;
  readonly name: string;
  readonly isRevoked: boolean;
  readonly hostGroupId: string | null;
  readonly groupName: string | null;
  readonly accelerator: Accelerator | null;
  readonly facts: Pick<HostFacts, 'cpu' | 'machineTypes'> | null;
}

const HOST_FIELDS = {
  select: {
    id: true,
    name: true,
    state: true,
    hostGroupId: true,
    accelerator: true,
    facts: true,
    hostGroup: { select: { name: true } },
  },
} as const;

async function readHosts(
  database: Database | Tx,
  where: { id?: { in: string[] }; hostGroupId?: string },
): Promise<GroupHost[]> {
  const rows = await database.host.findMany({ where, orderBy: { id: 'asc' }, ...HOST_FIELDS });
  return rows.map((row) => ({
    id: row.id as HostId,
    name: row.name,
    isRevoked: row.state === 'revoked',
    hostGroupId: row.hostGroupId,
    groupName: row.hostGroup?.name ?? null,
    accelerator: row.accelerator as Accelerator | null,
    facts: storedFactsOf(row.facts),
  }));
}

export const findHostsForGroup = (database: Database | Tx, ids: readonly string[]): Promise<GroupHost[]> =>
  readHosts(database, { id: { in: [...ids] } });

export const findMembers = (database: Database | Tx, groupId: string): Promise<GroupHost[]> =>
  readHosts(database, { hostGroupId: groupId });

export interface LostOnHosts {
  readonly hostIds: readonly string[];
  readonly models: readonly string[];
  readonly machineTypes: readonly string[];
}

interface AffectedVmRow {
  readonly id: VmId;
  readonly name: string;
  readonly hostId: HostId;
  readonly model: string | null;
  readonly machineType: string | null;
}

/** VMs on these hosts that have a lost model or machine type: the first `shownMax` by id, and the number of all. */
export async function findAffectedVms(
  database: Database | Tx,
  lost: readonly LostOnHosts[],
  shownMax: number,
): Promise<{ count: number; vms: AffectedVmRow[] }> {
  const groups = lost.map(({ hostIds, models, machineTypes }) => ({
    host_ids: hostIds,
    models,
    machine_types: machineTypes,
  }));
  const rows = await database.$queryRaw<(AffectedVmRow & { total: bigint })[]>`
    SELECT v.id, v.name, v.host_id AS "hostId", v.hardware->'cpu'->>'model' AS model, v.machine_type AS "machineType",
           count(*) OVER () AS total
      FROM vms v
     WHERE v.deleted_at IS NULL AND EXISTS (
           SELECT FROM jsonb_to_recordset(${JSON.stringify(groups)}::jsonb)
                    AS l (host_ids uuid[], models text[], machine_types text[])
            WHERE v.host_id = ANY (l.host_ids)
              AND (v.hardware->'cpu'->>'model' = ANY (l.models) OR v.machine_type = ANY (l.machine_types)))
     ORDER BY v.id LIMIT ${shownMax}::int`;
  const vms = rows.map(({ id, name, hostId, model, machineType }) => ({ id, name, hostId, model, machineType }));
  return { count: Number(rows[0]?.total ?? 0), vms };
}
