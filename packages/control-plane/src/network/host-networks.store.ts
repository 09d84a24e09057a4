import { HostNetworks } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';

export interface HostNetworksState {
  readonly revision: number;
  readonly desiredSha256: string;
}

/**
 * Locks what is known of a host's networks until the transaction ends, after having made it. Whoever holds it reads the record of
 * networks in later statements, which see all that was committed before it was locked (READ COMMITTED): so a higher revision
 * was never computed from an older record.
 */
export async function lockHostNetworks(tx: Tx, hostId: string): Promise<HostNetworksState> {
  await tx.$executeRaw`INSERT INTO host_networks (host_id) VALUES (${hostId}::uuid) ON CONFLICT DO NOTHING`;
  const [row] = await tx.$queryRaw<{ revision: bigint; desired_sha256: string }[]>`
    SELECT revision, desired_sha256 FROM host_networks WHERE host_id = ${hostId}::uuid FOR UPDATE`;
  if (row === undefined) throw new TypeError(`host ${hostId} has a row for its networks`);
  return { revision: Number(row.revision), desiredSha256: row.desired_sha256 };
}

/** Whoever changes the record after it was read here marks the host as stale again, and waits for our lock to do so. */
export async function writeDesired(
  tx: Tx,
  hostId: string,
  desired: { readonly revision: number; readonly sha256: string; readonly networkCount: number },
): Promise<void> {
  await tx.$executeRaw`
    UPDATE host_networks
       SET is_stale = false, revision = ${desired.revision}::bigint, desired_sha256 = ${desired.sha256},
           network_count = ${desired.networkCount}::int
     WHERE host_id = ${hostId}::uuid`;
}

/** Of an answer that is older than another one, nothing is kept. */
export async function writeApplied(
  database: Database,
  hostId: string,
  { revision, faults }: { readonly revision: number; readonly faults: readonly object[] },
): Promise<void> {
  await database.$executeRaw`
    UPDATE host_networks
       SET applied_revision = ${revision}::bigint, applied_at = clock_timestamp(), faults = ${JSON.stringify(faults)}::jsonb
     WHERE host_id = ${hostId}::uuid AND applied_revision <= ${revision}::bigint`;
}

export async function postponeHost(database: Database, hostId: string, byMs: number): Promise<void> {
  await database.$executeRaw`
    UPDATE host_networks SET retry_at = clock_timestamp() + ${byMs}::int * interval '1 millisecond'
     WHERE host_id = ${hostId}::uuid`;
}

/**
 * Takes changes and marks the hosts that they concern: those that have a port of a network that changed, and of a group.
 * One statement, so that a change is gone exactly if its hosts are marked; a change that another process has under way is left to
 * it. Rows are locked in the order of hosts.
 */
export async function markStaleHosts(database: Database, changeCountMax: number): Promise<number> {
  return database.$executeRaw`
    WITH taken AS (
      DELETE FROM network_changes
       WHERE id IN (SELECT id FROM network_changes ORDER BY id LIMIT ${changeCountMax}::int FOR UPDATE SKIP LOCKED)
      RETURNING network_id, security_group_id, host_id),
    concerned AS (
      SELECT host_id FROM taken WHERE host_id IS NOT NULL
      UNION
      SELECT r.host_id
        FROM (SELECT DISTINCT network_id FROM taken) t
        JOIN ports p ON p.network_id = t.network_id
        JOIN reservations r ON r.vm_id = p.vm_id
      UNION
      SELECT r.host_id
        FROM (SELECT DISTINCT security_group_id FROM taken) t
        JOIN port_security_groups g ON g.security_group_id = t.security_group_id
        JOIN ports p ON p.id = g.port_id
        JOIN reservations r ON r.vm_id = p.vm_id)
    INSERT INTO host_networks (host_id) SELECT host_id FROM concerned ORDER BY host_id
    ON CONFLICT (host_id) DO UPDATE SET is_stale = true`;
}

/** Hosts that are to be told now, the longest untold first. `repeatMs`: also those that have been told so long ago. */
export async function findDueHosts(database: Database, countMax: number, repeatMs: number): Promise<string[]> {
  const rows = await database.$queryRaw<{ host_id: string }[]>`
    SELECT n.host_id FROM host_networks n JOIN hosts h ON h.id = n.host_id
     WHERE h.connectivity = 'connected' AND h.state <> 'revoked' AND n.retry_at <= clock_timestamp()
       AND (n.is_stale OR n.applied_revision < n.revision
            OR (n.network_count > 0 AND n.applied_at < clock_timestamp() - ${repeatMs}::int * interval '1 millisecond'))
     ORDER BY n.applied_at NULLS FIRST, n.host_id LIMIT ${countMax}::int`;
  return rows.map(({ host_id }) => host_id);
}

/**
 * All that is to be on the host, by the record: networks of ports whose VMs have room there. One statement, so that it is the
 * record of one moment; sorted, so that the same record gives the same text. Groups that are merely named by a rule come with
 * their members and without rules of their own. A VM that is being moved has floating addresses where it was.
 */
export async function readHostNetworks(tx: Tx, hostId: string): Promise<HostNetworks> {
  const [row] = await tx.$queryRaw<{ networks: unknown; groups: unknown }[]>`
    WITH here AS (
      SELECT p.*, r.purpose FROM reservations r JOIN ports p ON p.vm_id = r.vm_id WHERE r.host_id = ${hostId}::uuid),
    nets AS (SELECT n.* FROM networks n WHERE n.id IN (SELECT network_id FROM here)),
    owned AS (
      SELECT DISTINCT g.security_group_id AS id FROM here JOIN port_security_groups g ON g.port_id = here.id),
    named AS (
      SELECT DISTINCT s.peer_group_id AS id
        FROM security_group_rules s JOIN owned ON owned.id = s.security_group_id WHERE s.peer_group_id IS NOT NULL)
    SELECT
      (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'id', n.id, 'kind', n.kind, 'segmentId', n.segment_id, 'cidr', n.cidr::text, 'gateway', host(n.gateway),
                'dnsDomain', n.dns_domain, 'mtu', n.mtu, 'uplink', n.uplink, 'vlanId', n.vlan_id,
                'ports', (SELECT jsonb_agg(jsonb_build_object(
                                   'id', p.id, 'name', p.name, 'macAddress', p.mac_address, 'address', host(p.address),
                                   'ingressBitsPerSecond', p.ingress_bits_per_second,
                                   'egressBitsPerSecond', p.egress_bits_per_second,
                                   'floatingAddress', (SELECT host(f.address) FROM floating_addresses f
                                                        WHERE f.port_id = p.id AND p.purpose = 'run'),
                                   'securityGroupIds', ARRAY(SELECT g.security_group_id FROM port_security_groups g
                                                              WHERE g.port_id = p.id ORDER BY 1)) ORDER BY p.id)
                            FROM here p WHERE p.network_id = n.id),
                'otherNames', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', p.name, 'address', host(p.address))
                                                         ORDER BY p.id), '[]')
                                 FROM ports p
                                WHERE p.network_id = n.id AND p.name IS NOT NULL
                                  AND NOT EXISTS (SELECT FROM here WHERE here.id = p.id)),
                'peers', (SELECT coalesce(jsonb_agg(host(a.overlay_address) ORDER BY a.overlay_address), '[]')
                            FROM (SELECT DISTINCT h.overlay_address
                                    FROM ports p JOIN reservations r ON r.vm_id = p.vm_id JOIN hosts h ON h.id = r.host_id
                                   WHERE n.kind = 'vxlan' AND p.network_id = n.id AND h.id <> ${hostId}::uuid
                                     AND h.overlay_address IS NOT NULL AND h.state <> 'revoked') a)
              ) ORDER BY n.id), '[]') FROM nets n) AS networks,
      (SELECT coalesce(jsonb_agg(jsonb_build_object(
                'id', g.id,
                'rules', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                                   'direction', s.direction, 'protocol', s.protocol, 'portMin', s.port_min,
                                   'portMax', s.port_max, 'cidr', s.cidr::text, 'peerGroupId', s.peer_group_id)
                                   ORDER BY s.index), '[]')
                            FROM security_group_rules s
                           WHERE s.security_group_id = g.id AND g.id IN (SELECT id FROM owned)),
                'members', (SELECT coalesce(jsonb_agg(jsonb_build_object('networkId', p.network_id, 'address', host(p.address))
                                                      ORDER BY p.id), '[]')
                              FROM port_security_groups m JOIN ports p ON p.id = m.port_id
                             WHERE m.security_group_id = g.id AND g.id IN (SELECT id FROM named)
                               AND p.network_id IN (SELECT id FROM nets))
              ) ORDER BY g.id), '[]') FROM (SELECT id FROM owned UNION SELECT id FROM named) g) AS groups`;
  return HostNetworks.parse({ networks: row?.networks, securityGroups: row?.groups });
}
