import type { Network, NetworkId, NetworkKind, ProjectId } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import { Prisma } from '../database/generated/client.js';
import type { PageBounds } from '../page-cursor.js';

interface NetworkRow {
  readonly id: string;
  readonly project_id: string;
  readonly name: string;
  readonly kind: string;
  readonly segment_id: number;
  readonly cidr: string;
  readonly gateway: string;
  readonly dns_domain: string;
  readonly mtu: number;
  readonly uplink: string | null;
  readonly vlan_id: number | null;
  readonly port_count: number;
  readonly generation: bigint;
  readonly created_at: Date;
  readonly updated_at: Date;
}

const networkOf = (row: NetworkRow): Network => ({
  id: row.id as NetworkId,
  projectId: row.project_id as ProjectId,
  name: row.name,
  kind: row.kind as NetworkKind,
  cidr: row.cidr,
  gateway: row.gateway,
  dnsDomain: row.dns_domain,
  mtu: row.mtu,
  uplink: row.uplink,
  vlanId: row.vlan_id,
  vni: row.kind === 'vxlan' ? row.segment_id : null,
  portCount: row.port_count,
  generation: Number(row.generation),
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
});

const COLUMNS = Prisma.sql`
  n.id, n.project_id, n.name, n.kind, n.segment_id, n.cidr::text AS cidr, host(n.gateway) AS gateway, n.dns_domain, n.mtu,
  n.uplink, n.vlan_id, n.generation, n.created_at, n.updated_at,
  (SELECT count(*)::int FROM ports p WHERE p.network_id = n.id) AS port_count`;

export async function findNetwork(database: Database | Tx, id: string): Promise<Network | null> {
  const [row] = await database.$queryRaw<NetworkRow[]>`
    SELECT ${COLUMNS} FROM networks n WHERE n.id = ${id}::uuid`;
  return row === undefined ? null : networkOf(row);
}

export interface NetworkFilter {
  /** Null: of all. */
  readonly projectId: ProjectId | null;
  readonly name: string | undefined;
  readonly kind: NetworkKind | undefined;
}

export async function findNetworks(database: Database, filter: NetworkFilter, bounds: PageBounds): Promise<Network[]> {
  const rows = await database.$queryRaw<NetworkRow[]>`
    SELECT ${COLUMNS} FROM networks n
     WHERE (${bounds.afterId}::uuid IS NULL OR n.id > ${bounds.afterId}::uuid)
       AND (${filter.projectId}::uuid IS NULL OR n.project_id = ${filter.projectId}::uuid)
       AND (${filter.name ?? null}::text IS NULL OR n.name = ${filter.name ?? null}::text)
       AND (${filter.kind ?? null}::text IS NULL OR n.kind = ${filter.kind ?? null}::text)
     ORDER BY n.id LIMIT ${bounds.rowCountMax}::int`;
  return rows.map(networkOf);
}

/** Locks the network against new ports and other changes until the transaction ends. Null: there is none. */
export async function lockNetwork(tx: Tx, id: string): Promise<Network | null> {
  await tx.$queryRaw`SELECT 1 FROM networks WHERE id = ${id}::uuid FOR UPDATE`;
  // A statement of its own: the one that waited for the lock looks at the ports as they were before it waited.
  return findNetwork(tx, id);
}

/**
 * Lets one after the other choose an address of the network: until the transaction ends, which it should do soon. The choice
 * is a statement of its own after it, so that the second sees what the first one took. False: the network is gone.
 */
export async function lockAddresses(tx: Tx, networkId: string): Promise<boolean> {
  const rows = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM networks WHERE id = ${networkId}::uuid FOR NO KEY UPDATE`;
  return rows.length === 1;
}

/**
 * Locks the project for those who make networks in it: no unique index knows what overlaps, nor how many there may be.
 * Returns what the project has.
 */
export async function lockNetworksOfProject(
  tx: Tx,
  projectId: string,
  cidr: string,
): Promise<{ networkCount: number; overlapping: { name: string; cidr: string } | null }> {
  await tx.$queryRaw`SELECT 1 FROM projects WHERE id = ${projectId}::uuid FOR NO KEY UPDATE`;
  const networkCount = await tx.network.count({ where: { projectId } });
  const [overlapping = null] = await tx.$queryRaw<{ name: string; cidr: string }[]>`
    SELECT name, cidr::text AS cidr FROM networks
     WHERE project_id = ${projectId}::uuid AND cidr && ${cidr}::inet ORDER BY id LIMIT 1`;
  return { networkCount, overlapping };
}

export interface NewNetwork {
  readonly id: NetworkId;
  readonly projectId: ProjectId;
  readonly name: string;
  readonly kind: NetworkKind;
  readonly cidr: string;
  readonly gateway: string;
  readonly dnsDomain: string;
  readonly mtu: number;
  readonly uplink: string | null;
  readonly vlanId: number | null;
  readonly now: Date;
}

/** False: the project has a network of that name, or there is one on that wire. */
export async function insertNetwork(tx: Tx, network: NewNetwork): Promise<boolean> {
  const count = await tx.$executeRaw`
    INSERT INTO networks (id, project_id, name, kind, cidr, gateway, dns_domain, mtu, uplink, vlan_id, created_at, updated_at)
    VALUES (${network.id}::uuid, ${network.projectId}::uuid, ${network.name}, ${network.kind}, ${network.cidr}::inet,
            ${network.gateway}::inet, ${network.dnsDomain}, ${network.mtu}::int, ${network.uplink}, ${network.vlanId}::int,
            ${network.now}::timestamptz, ${network.now}::timestamptz)
    ON CONFLICT DO NOTHING`;
  return count === 1;
}

export async function hasNetworkOfName(tx: Tx, projectId: string, name: string): Promise<boolean> {
  return (await tx.network.count({ where: { projectId, name } })) > 0;
}

/** Counts the change; undefined keeps what is there. False: the name is taken. */
export async function writeNetwork(
  tx: Tx,
  network: Network,
  change: { name: string | undefined; dnsDomain: string | undefined; now: Date },
): Promise<boolean> {
  const { name = network.name, dnsDomain = network.dnsDomain, now } = change;
  const count = await tx.$executeRaw`
    UPDATE networks
       SET name = ${name}, dns_domain = ${dnsDomain}, generation = generation + 1, updated_at = ${now}::timestamptz
     WHERE id = ${network.id}::uuid
       AND NOT EXISTS (SELECT FROM networks o
                        WHERE o.project_id = ${network.projectId}::uuid AND o.name = ${name} AND o.id <> ${network.id}::uuid)`;
  return count === 1;
}

export async function deleteNetworkRow(tx: Tx, id: string): Promise<void> {
  await tx.network.deleteMany({ where: { id } });
}
