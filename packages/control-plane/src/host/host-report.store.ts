import { createHash } from 'node:crypto';
import { traitsOfHost } from '@kvorum/schema';
import type { Tx } from '../database/database.js';
import type { CheckedReport } from './host-report.js';

/** Agents report each 2 s: four reports in a row may be late or lost before a host counts as unreachable. */
export const REPORT_LEASE_MS = 10_000;

interface TouchedHost {
  readonly name: string;
  readonly previousConnectivity: string;
}

/**
 * Writes what a report says of the host itself, and keeps the host's row locked: its reports are taken one after the other.
 * Null: the host is revoked, unknown, or has already sent a newer report.
 */
export async function touchHost(tx: Tx, hostId: string, report: CheckedReport): Promise<TouchedHost | null> {
  const { facts, capacity, accelerator, agentVersion, address } = report;
  // Told together with the accelerator, and derived here so that what placement goes by is never older than the facts.
  const traits = facts === null ? null : traitsOfHost(accelerator ?? null, facts);
  const [row] = await tx.$queryRaw<{ name: string; previous_connectivity: string }[]>`
    WITH before AS (
      SELECT id, connectivity FROM hosts
       WHERE id = ${hostId}::uuid AND state <> 'revoked' AND report_generation <= ${report.reportGeneration}::bigint
         FOR NO KEY UPDATE)
    UPDATE hosts
       SET connectivity = 'connected',
           last_report_at = clock_timestamp(),
           report_generation = ${report.reportGeneration}::bigint,
           traits = coalesce(${traits}::text[], traits),
           traits_sha256 = coalesce(${traits === null ? null : hashOfTraits(traits)}::text, traits_sha256),
           -- Told with the facts, and gone when they say so.
           overlay_address = CASE WHEN ${facts !== null} THEN ${facts?.networking?.overlayAddress ?? null}::inet
                                  ELSE overlay_address END,
           facts = coalesce(${facts === null ? null : JSON.stringify(facts)}::jsonb, facts),
           capacity_vcpu_count = coalesce(${capacity?.vcpuCount ?? null}::int, capacity_vcpu_count),
           capacity_memory_bytes = coalesce(${capacity?.memoryBytes ?? null}::bigint, capacity_memory_bytes),
           capacity_disk_bytes = coalesce(${capacity?.diskBytes ?? null}::bigint, capacity_disk_bytes),
           capacity_dedicated_cpu_count = coalesce(${capacity?.dedicatedCpuCount ?? null}::int, capacity_dedicated_cpu_count),
           capacity_huge_pages_2mib_bytes =
             coalesce(${capacity?.hugePages2MibBytes ?? null}::bigint, capacity_huge_pages_2mib_bytes),
           capacity_huge_pages_1gib_bytes =
             coalesce(${capacity?.hugePages1GibBytes ?? null}::bigint, capacity_huge_pages_1gib_bytes),
           numa_nodes = CASE WHEN ${capacity === null} THEN numa_nodes ELSE ${nodesOf(capacity)}::jsonb END,
           threads_per_core = coalesce(${capacity?.threadsPerCore ?? null}::int, threads_per_core),
           accelerator = CASE WHEN ${accelerator !== undefined} THEN ${accelerator ?? null}::text ELSE accelerator END,
           agent_version = coalesce(${agentVersion}::text, agent_version),
           address = coalesce(${address}::text, address)
      FROM before
     WHERE hosts.id = before.id
    RETURNING hosts.name, before.connectivity AS previous_connectivity`;
  return row === undefined ? null : { name: row.name, previousConnectivity: row.previous_connectivity };
}

/** Null: not told, and then its agent alone judges. */
const nodesOf = (capacity: CheckedReport['capacity']): string | null =>
  capacity === null || capacity.nodes.length === 0 ? null : JSON.stringify(capacity.nodes);

const hashOfTraits = (traits: readonly string[]): string =>
  createHash('sha256').update(traits.join('\n')).digest('hex');

export interface LostHost {
  readonly id: string;
  readonly name: string;
}

/** Hosts without a report for the lease become unreachable; each is told of once. The clock is the database's alone. */
export const markLostHosts = (tx: Tx): Promise<LostHost[]> =>
  tx.$queryRaw<LostHost[]>`
    UPDATE hosts SET connectivity = 'unreachable'
     WHERE connectivity = 'connected'
       AND last_report_at < clock_timestamp() - ${REPORT_LEASE_MS}::int * interval '1 millisecond'
    RETURNING id, name`;
