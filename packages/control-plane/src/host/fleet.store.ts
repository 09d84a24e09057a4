import type { HostRow, NumaNodeFree } from '@kvorum/scheduler';
import type { Accelerator } from '@kvorum/schema';
import type { Database } from '../database/database.js';
import { Prisma } from '../database/generated/client.js';
import { readVmChanges, type VmChanges } from './fleet-vms.store.js';
import { type VmWithoutNodes, withFreeNodes } from './free-nodes.js';

interface Row {
  readonly id: string;
  readonly name: string;
  readonly state: HostRow['state'];
  readonly connectivity: HostRow['connectivity'];
  readonly accelerator: Accelerator | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly host_group_id: string | null;
  readonly storage_pool_ids: readonly string[];
  readonly capacity_vcpu_count: number;
  readonly capacity_memory_bytes: bigint;
  readonly capacity_disk_bytes: bigint;
  readonly capacity_dedicated_cpu_count: number;
  readonly capacity_huge_pages_2mib_bytes: bigint;
  readonly capacity_huge_pages_1gib_bytes: bigint;
  readonly threads_per_core: number;
  readonly numa_nodes: readonly NumaNodeFree[] | null;
  readonly without_nodes: readonly VmWithoutNodes[] | null;
  readonly reserved_vcpu_count: number;
  readonly reserved_memory_bytes: bigint;
  readonly reserved_disk_bytes: bigint;
  readonly reserved_dedicated_cpu_count: number;
  readonly reserved_huge_pages_2mib_bytes: bigint;
  readonly reserved_huge_pages_1gib_bytes: bigint;
  readonly traits_sha256: string;
  /** Null: its hash is known, or another row of this answer has it. */
  readonly traits: readonly string[] | null;
}

type FeedRow = (Row | { readonly id: null }) & {
  readonly horizon: bigint;
  readonly counted: readonly string[] | null;
};

/** What the feed of the fleet tells of hosts: their rows as they are now. */
export interface HostChanges {
  /** Changed since the position asked for; perhaps also some that changed before. */
  readonly hosts: readonly HostRow[];
  /** Where to read on. */
  readonly horizonXactId: bigint;
  /** Those of the claims asked about whose reservations the numbers of the hosts count already. */
  readonly countedClaimIds: ReadonlySet<string>;
}

/** And of what else decisions go by. */
export interface FleetChanges extends HostChanges {
  readonly vmChanges: VmChanges;
}

/** All that has changed since an earlier read's horizon. Two moments: what the second one sees more is told again. */
export async function readFleetChanges(
  database: Database,
  traitSets: TraitSets,
  claimIds: readonly string[],
  sinceXactId: bigint,
  wantsAllGroups = false,
): Promise<FleetChanges> {
  const changes = await readHostChanges(database, traitSets, claimIds, sinceXactId);
  return { ...changes, vmChanges: await readVmChanges(database, sinceXactId, wantsAllGroups) };
}

/** From here on everything is new. */
export const FEED_START = 0n;

/**
 * Hosts that have changed since an earlier read's horizon, and which claims the numbers of all hosts hold. All of it is one
 * statement, so one snapshot: a claim is counted either in its host's row or not at all, and the answer says which.
 *
 * Misses nothing: a transaction that this snapshot does not see is running, or not begun, so its id is not below
 * pg_snapshot_xmin; the rows it changes carry that id (hosts_note_change), and the next read asks from there on.
 */
export async function readHostChanges(
  database: Database,
  traitSets: TraitSets,
  claimIds: readonly string[],
  sinceXactId: bigint,
): Promise<HostChanges> {
  const rows = await database.$queryRaw<FeedRow[]>`
    WITH feed AS MATERIALIZED (
      SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon,
             (SELECT array_agg(CASE WHEN r.id = ANY (c.ids) THEN r.id ELSE r.vm_id END::text)
                FROM (SELECT ${[...claimIds]}::uuid[] AS ids) c
                JOIN reservations r ON r.vm_id = ANY (c.ids) OR r.id = ANY (c.ids)) AS counted)
    SELECT feed.horizon, feed.counted, h.*
      FROM feed LEFT JOIN LATERAL (
        SELECT id, name, state, connectivity, accelerator, labels, host_group_id, storage_pool_ids, threads_per_core,
               capacity_vcpu_count, capacity_memory_bytes, capacity_disk_bytes, capacity_dedicated_cpu_count,
               capacity_huge_pages_2mib_bytes, capacity_huge_pages_1gib_bytes,
               reserved_vcpu_count, reserved_memory_bytes, reserved_disk_bytes, reserved_dedicated_cpu_count,
               reserved_huge_pages_2mib_bytes, reserved_huge_pages_1gib_bytes, traits_sha256, numa_nodes,
               CASE WHEN numa_nodes IS NOT NULL THEN (${VMS_WITHOUT_NODES}) END AS without_nodes,
               CASE WHEN traits_sha256 = ANY (${traitSets.hashes()}::text[])
                      OR row_number() OVER (PARTITION BY traits_sha256) > 1 THEN NULL
                    ELSE traits END AS traits
          FROM hosts WHERE changed_xact_id >= ${sinceXactId}::bigint) h ON true`;
  const [first] = rows;
  if (first === undefined) throw new TypeError('a LEFT JOIN of one row gives one at least');
  const changed = rows.filter((row) => row.id !== null);
  const traits = traitSets.take(changed);
  return {
    hosts: changed.map((row) => hostRowOf(row, traits(row.traits_sha256))),
    horizonXactId: first.horizon,
    countedClaimIds: new Set(first.counted ?? []),
  };
}

/**
 * VMs with room on the host for CPUs of their own or huge pages that its agent does not report to run: what they take is in no
 * node's numbers yet. Their claim is in the nodes' numbers no later than they are reported (`ReportWriter.capacity`), and both
 * come in one transaction, so a VM is counted at least once.
 */
const VMS_WITHOUT_NODES = Prisma.sql`
  SELECT jsonb_agg(jsonb_build_object('vcpuCount', v.vcpu_count, 'memoryBytes', v.memory_bytes,
                                      'accelerator', v.accelerator, 'hardware', v.hardware) ORDER BY v.id)
    FROM reservations r JOIN vms v ON v.id = r.vm_id
   WHERE r.host_id = hosts.id AND v.runs_on IS NULL
     AND (r.dedicated_cpu_count > 0 OR r.huge_pages_2mib_bytes > 0 OR r.huge_pages_1gib_bytes > 0)`;

/** Labels of hosts that say what fails together. Others are for people. */
const DOMAIN_LABELS = ['zone', 'rack'] as const;

const domainsOf = (labels: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(DOMAIN_LABELS.flatMap((level) => (labels[level] === undefined ? [] : [[level, labels[level]]])));

/** Far more than a site has kinds of hosts. */
const TRAIT_SETS_MAX = 1000;

/**
 * The lists of traits by their hash, one object for all hosts that share one. A list never changes under its hash, so that
 * it is read from the database once. When there are too many all are forgotten, and each is read once more.
 */
export class TraitSets {
  #sets = new Map<string, ReadonlySet<string>>();

  hashes(): string[] {
    return [...this.#sets.keys()];
  }

  /** Adds what rows bring, and returns the list of a hash that they name. */
  take(rows: readonly Pick<Row, 'traits' | 'traits_sha256'>[]): (hash: string) => ReadonlySet<string> {
    const sets = this.#sets;
    for (const { traits, traits_sha256: hash } of rows) if (traits !== null) sets.set(hash, new Set(traits));
    if (sets.size > TRAIT_SETS_MAX) this.#sets = new Map();
    return (hash) => sets.get(hash) ?? NO_TRAITS;
  }
}

const NO_TRAITS: ReadonlySet<string> = new Set();

const hostRowOf = (row: Row, traits: ReadonlySet<string>): HostRow =>
  withFreeNodes(amountsRowOf(row, traits), row.numa_nodes, row.without_nodes ?? []);

const amountsRowOf = (row: Row, traits: ReadonlySet<string>): HostRow => ({
  traits,
  hostId: row.id,
  name: row.name,
  state: row.state,
  connectivity: row.connectivity,
  accelerator: row.accelerator,
  // x86 has 1 or 2; the scheduler counts no more.
  threadsPerCore: row.threads_per_core > 1 ? 2 : 1,
  domains: domainsOf(row.labels),
  ...(row.host_group_id === null ? {} : { hostGroupId: row.host_group_id }),
  ...(row.storage_pool_ids.length === 0 ? {} : { storagePoolIds: row.storage_pool_ids }),
  capacity: {
    vcpuCount: row.capacity_vcpu_count,
    memoryBytes: Number(row.capacity_memory_bytes),
    diskBytes: Number(row.capacity_disk_bytes),
    dedicatedCpuCount: row.capacity_dedicated_cpu_count,
    hugePages2MibBytes: Number(row.capacity_huge_pages_2mib_bytes),
    hugePages1GibBytes: Number(row.capacity_huge_pages_1gib_bytes),
  },
  reserved: {
    vcpuCount: row.reserved_vcpu_count,
    memoryBytes: Number(row.reserved_memory_bytes),
    diskBytes: Number(row.reserved_disk_bytes),
    dedicatedCpuCount: row.reserved_dedicated_cpu_count,
    hugePages2MibBytes: Number(row.reserved_huge_pages_2mib_bytes),
    hugePages1GibBytes: Number(row.reserved_huge_pages_1gib_bytes),
  },
});
