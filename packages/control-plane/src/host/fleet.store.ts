import type { HostRow } from '@kvorum/scheduler';
import type { Accelerator } from '@kvorum/schema';
import type { Database } from '../database/database.js';

interface Row {
  readonly id: string;
  readonly name: string;
  readonly state: HostRow['state'];
  readonly connectivity: HostRow['connectivity'];
  readonly accelerator: Accelerator | null;
  readonly capacity_vcpu_count: number;
  readonly capacity_memory_bytes: bigint;
  readonly capacity_disk_bytes: bigint;
  readonly capacity_dedicated_cpu_count: number;
  readonly capacity_huge_pages_2mib_bytes: bigint;
  readonly capacity_huge_pages_1gib_bytes: bigint;
  readonly threads_per_core: number;
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

export interface FleetRows {
  readonly hosts: HostRow[];
  /** Those of the VMs asked about whose reservations the numbers of the hosts count already. */
  readonly countedVmIds: ReadonlySet<string>;
}

/**
 * All hosts, and which claims their numbers hold. Both come from one statement, so from one snapshot: a claim is counted
 * either in the host's numbers or not at all, and the answer says which.
 */
export async function readFleet(
  database: Database,
  traitSets: TraitSets,
  claimedVmIds: readonly string[],
): Promise<FleetRows> {
  const rows = await database.$queryRaw<(Row & { counted: string[] | null })[]>`
    SELECT h.threads_per_core, h.id, h.name, h.state, h.connectivity, h.accelerator,
           h.capacity_vcpu_count, h.capacity_memory_bytes, h.capacity_disk_bytes, h.capacity_dedicated_cpu_count,
           h.capacity_huge_pages_2mib_bytes, h.capacity_huge_pages_1gib_bytes,
           h.reserved_vcpu_count, h.reserved_memory_bytes, h.reserved_disk_bytes, h.reserved_dedicated_cpu_count,
           h.reserved_huge_pages_2mib_bytes, h.reserved_huge_pages_1gib_bytes, h.traits_sha256,
           CASE WHEN h.traits_sha256 = ANY (${traitSets.hashes()}::text[])
                  OR row_number() OVER (PARTITION BY h.traits_sha256) > 1 THEN NULL
                ELSE h.traits END AS traits,
           (SELECT array_agg(r.vm_id::text) FROM reservations r
             WHERE r.vm_id = ANY (${[...claimedVmIds]}::uuid[]) AND r.host_id = h.id) AS counted
      FROM hosts h
     WHERE h.state <> 'revoked'`;
  traitSets.take(rows);
  const hosts = rows.map((row) => hostRowOf(row, traitSets.of(row.traits_sha256)));
  return { hosts, countedVmIds: new Set(rows.flatMap((row) => row.counted ?? [])) };
}

/**
 * The lists of traits by their hash, one object for all hosts that share one. A list never changes under its hash, so that
 * it is read from the database once; what no host has any more is forgotten.
 */
export class TraitSets {
  #sets = new Map<string, ReadonlySet<string>>();

  hashes(): string[] {
    return [...this.#sets.keys()];
  }

  take(rows: readonly { readonly traits_sha256: string; readonly traits: readonly string[] | null }[]): void {
    const fresh = new Map(
      rows.flatMap((row) => (row.traits === null ? [] : [[row.traits_sha256, row.traits] as const])),
    );
    const hashes = new Set(rows.map((row) => row.traits_sha256));
    this.#sets = new Map([...hashes].map((hash) => [hash, this.#sets.get(hash) ?? new Set(fresh.get(hash))]));
  }

  of(hash: string): ReadonlySet<string> {
    return this.#sets.get(hash) ?? NO_TRAITS;
  }
}

const NO_TRAITS: ReadonlySet<string> = new Set();

const hostRowOf = (row: Row, traits: ReadonlySet<string>): HostRow => ({
  traits,
  hostId: row.id,
  name: row.name,
  state: row.state,
  connectivity: row.connectivity,
  accelerator: row.accelerator,
  // x86 has 1 or 2; the scheduler counts no more.
  threadsPerCore: row.threads_per_core > 1 ? 2 : 1,
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
