import type { NetworkId, Port, PortId, ProjectId, SecurityGroupId, VmId } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import { Prisma } from '../database/generated/client.js';
import type { PageBounds } from '../page-cursor.js';

interface PortRow {
  readonly id: string;
  readonly network_id: string;
  readonly project_id: string;
  readonly vm_id: string | null;
  readonly name: string | null;
  readonly mac_address: string;
  readonly address: string;
  readonly security_group_ids: string[];
  readonly ingress_bits_per_second: bigint | null;
  readonly egress_bits_per_second: bigint | null;
  readonly generation: bigint;
  readonly created_at: Date;
  readonly updated_at: Date;
}

const portOf = (row: PortRow): Port => ({
  id: row.id as PortId,
  networkId: row.network_id as NetworkId,
  projectId: row.project_id as ProjectId,
  vmId: row.vm_id as VmId | null,
  name: row.name,
  macAddress: row.mac_address,
  address: row.address,
  securityGroupIds: row.security_group_ids as SecurityGroupId[],
  ingressBitsPerSecond: numberOrNull(row.ingress_bits_per_second),
  egressBitsPerSecond: numberOrNull(row.egress_bits_per_second),
  generation: Number(row.generation),
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
});

const numberOrNull = (count: bigint | null): number | null => (count === null ? null : Number(count));

const COLUMNS = Prisma.sql`
  p.id, p.network_id, p.project_id, p.vm_id, p.name, p.mac_address, host(p.address) AS address, p.generation, p.created_at,
  p.updated_at, p.ingress_bits_per_second, p.egress_bits_per_second,
  ARRAY(SELECT g.security_group_id::text FROM port_security_groups g WHERE g.port_id = p.id ORDER BY 1) AS security_group_ids`;

export async function findPort(database: Database | Tx, id: string): Promise<Port | null> {
  const [row] = await database.$queryRaw<PortRow[]>`SELECT ${COLUMNS} FROM ports p WHERE p.id = ${id}::uuid`;
  return row === undefined ? null : portOf(row);
}

export interface PortFilter {
  readonly networkId: NetworkId;
  readonly vmId: VmId | undefined;
  readonly name: string | undefined;
  readonly address: string | undefined;
}

export async function findPorts(database: Database, filter: PortFilter, bounds: PageBounds): Promise<Port[]> {
  const rows = await database.$queryRaw<PortRow[]>`
    SELECT ${COLUMNS} FROM ports p
     WHERE p.network_id = ${filter.networkId}::uuid
       AND (${bounds.afterId}::uuid IS NULL OR p.id > ${bounds.afterId}::uuid)
       AND (${filter.vmId ?? null}::uuid IS NULL OR p.vm_id = ${filter.vmId ?? null}::uuid)
       AND (${filter.name ?? null}::text IS NULL OR p.name = ${filter.name ?? null}::text)
       AND (${filter.address ?? null}::inet IS NULL OR p.address = ${filter.address ?? null}::inet)
     ORDER BY p.id LIMIT ${bounds.rowCountMax}::int`;
  return rows.map(portOf);
}

export interface NewPort {
  readonly id: PortId;
  readonly networkId: NetworkId;
  readonly vmId: VmId | null;
  readonly name: string | null;
  readonly macAddress: string;
  /** Null: one that is free. */
  readonly address: string | null;
  readonly ingressBitsPerSecond: number | null;
  readonly egressBitsPerSecond: number | null;
  readonly now: Date;
}

export const UNLIMITED = { ingressBitsPerSecond: null, egressBitsPerSecond: null };

/**
 * Inserts the port with the address asked for, or with the first free one behind the last that was chosen, going around at
 * the end: one that was given back is not given to somebody else at once, while others may still send to it. Null: the
 * network is full, or address, MAC address or name are taken.
 *
 * The caller holds the lock of the network, so that two who choose at the same time do not choose the same; were the lock
 * forgotten, the unique index would still refuse the second. The free address is looked for from where the last one was
 * found, so that in a network that is not nearly full a few index look-ups find it, however many ports there are.
 */
export async function insertPort(tx: Tx, port: NewPort): Promise<string | null> {
  const [row] = await tx.$queryRaw<{ address: string }[]>`
    WITH net AS (
      SELECT id, project_id, cidr, gateway, last_offset, (broadcast(cidr) - network(cidr) - 1)::int AS host_count
        FROM networks WHERE id = ${port.networkId}::uuid),
    chosen AS (
      SELECT o.host_offset, a.address
        FROM net,
             LATERAL (SELECT 1 + (net.last_offset + i - 1) % net.host_count AS host_offset
                        FROM (SELECT generate_series(1, net.host_count) AS i) s) o,
             -- host() leaves the network's length out, with which an address would equal none of a port.
             LATERAL (SELECT host(network(net.cidr) + o.host_offset)::inet AS address) a
       WHERE ${port.address}::inet IS NULL
         AND a.address <> net.gateway
         AND NOT EXISTS (SELECT FROM ports p
                          WHERE p.network_id = ${port.networkId}::uuid AND p.address = a.address)
       LIMIT 1),
    moved AS (UPDATE networks SET last_offset = chosen.host_offset FROM chosen WHERE id = ${port.networkId}::uuid)
    INSERT INTO ports (id, network_id, project_id, vm_id, name, mac_address, address, ingress_bits_per_second,
                       egress_bits_per_second, created_at, updated_at)
    SELECT ${port.id}::uuid, net.id, net.project_id, ${port.vmId}::uuid, ${port.name}, ${port.macAddress}, c.address,
           ${port.ingressBitsPerSecond}::bigint, ${port.egressBitsPerSecond}::bigint, ${port.now}::timestamptz, ${port.now}::timestamptz
      FROM net, (SELECT address FROM chosen UNION ALL SELECT ${port.address}::inet WHERE ${port.address}::inet IS NOT NULL) c
    ON CONFLICT DO NOTHING
    RETURNING host(address) AS address`;
  return row?.address ?? null;
}

/** What keeps `insertPort` from its values; null: nothing, so that the network must be full. */
export async function findTakenValue(
  tx: Tx,
  port: Pick<NewPort, 'networkId' | 'name' | 'macAddress' | 'address'>,
): Promise<{ value: 'name' | 'macAddress' | 'address'; portId: string } | null> {
  const [row] = await tx.$queryRaw<{ id: string; value: 'name' | 'macAddress' | 'address' }[]>`
    SELECT id, CASE WHEN address = ${port.address}::inet THEN 'address'
                    WHEN mac_address = ${port.macAddress} THEN 'macAddress' ELSE 'name' END AS value
      FROM ports
     WHERE network_id = ${port.networkId}::uuid
       AND (address = ${port.address}::inet OR mac_address = ${port.macAddress} OR name = ${port.name}::text)
     ORDER BY 2 LIMIT 1`;
  return row === undefined ? null : { value: row.value, portId: row.id };
}

export async function lockPort(tx: Tx, id: string): Promise<Port | null> {
  await tx.$queryRaw`SELECT 1 FROM ports WHERE id = ${id}::uuid FOR UPDATE`;
  return findPort(tx, id);
}

/** Makes it as `change` says, and counts the change. */
export async function writePort(
  tx: Tx,
  id: string,
  change: Pick<Port, 'vmId' | 'securityGroupIds' | 'ingressBitsPerSecond' | 'egressBitsPerSecond'> & { now: Date },
): Promise<void> {
  await tx.$executeRaw`
    UPDATE ports SET vm_id = ${change.vmId}::uuid, ingress_bits_per_second = ${change.ingressBitsPerSecond}::bigint,
                     egress_bits_per_second = ${change.egressBitsPerSecond}::bigint, generation = generation + 1,
                     updated_at = ${change.now}::timestamptz
     WHERE id = ${id}::uuid`;
  await tx.portSecurityGroup.deleteMany({ where: { portId: id } });
  await addGroups(tx, id, change.securityGroupIds);
}

export async function addGroups(tx: Tx, portId: string, groupIds: readonly SecurityGroupId[]): Promise<void> {
  if (groupIds.length === 0) return;
  await tx.portSecurityGroup.createMany({ data: groupIds.map((securityGroupId) => ({ portId, securityGroupId })) });
}

export async function deletePortRow(tx: Tx, id: string): Promise<void> {
  await tx.port.deleteMany({ where: { id } });
}

/** Keeps the VM from being marked as deleted until the transaction ends. False: the project has no such VM. */
export async function holdVmOfProject(tx: Tx, vmId: string, projectId: string): Promise<boolean> {
  const held = await tx.$queryRaw<unknown[]>`
    SELECT 1 FROM vms WHERE id = ${vmId}::uuid AND project_id = ${projectId}::uuid AND deleted_at IS NULL FOR SHARE`;
  return held.length === 1;
}
