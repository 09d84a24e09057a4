import type { Accelerator } from '@kvorum/schema';

/** What a host has, what VMs hold of it, or what one VM needs. */
export type Amounts = {
  readonly vcpuCount: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  /** Host CPUs that VMs have for themselves; of a host: those it offers for that. */
  readonly dedicatedCpuCount: number;
  /** Memory in huge pages, set aside by the host; not part of `memoryBytes`. */
  readonly hugePages2MibBytes: number;
  readonly hugePages1GibBytes: number;
};

/** Nothing of anything: what a VM or host has of the quantities that nobody names. */
export const NO_AMOUNTS: Amounts = {
  vcpuCount: 0,
  memoryBytes: 0,
  diskBytes: 0,
  dedicatedCpuCount: 0,
  hugePages2MibBytes: 0,
  hugePages1GibBytes: 0,
};

/** The amounts of something that has more than those, in a fixed order. */
export const amountsOf = (from: Amounts): Amounts => ({
  vcpuCount: from.vcpuCount,
  memoryBytes: from.memoryBytes,
  diskBytes: from.diskBytes,
  dedicatedCpuCount: from.dedicatedCpuCount,
  hugePages2MibBytes: from.hugePages2MibBytes,
  hugePages1GibBytes: from.hugePages1GibBytes,
});

/** One host as the database knows it. */
export interface HostRow {
  readonly hostId: string;
  readonly name: string;
  readonly state: 'active' | 'cordoned' | 'revoked';
  readonly connectivity: 'connected' | 'unreachable';
  readonly accelerator: Accelerator | null;
  readonly capacity: Amounts;
  readonly reserved: Amounts;
}

/** Codes of the columns `states`, `connectivities` and `accelerators`. */
export const STATE = { active: 0, cordoned: 1, revoked: 2 } as const;
export const CONNECTIVITY = { connected: 0, unreachable: 1 } as const;
export const ACCELERATOR = { none: 0, tcg: 1, kvm: 2 } as const;

/** The quantities a VM reserves on its host, in the order in which they are checked and named. */
export const DIMENSIONS = [
  'vcpuCount',
  'memoryBytes',
  'diskBytes',
  'dedicatedCpuCount',
  'hugePages2MibBytes',
  'hugePages1GibBytes',
] as const satisfies readonly (keyof Amounts)[];

/**
 * All hosts, one array per fact: a scan of 10,000 hosts then touches a few hundred kilobytes of plain numbers instead of
 * 10,000 objects. Bytes are doubles: exact up to 2^53, which 32 bits are not. Hosts are in the order of their ids, so
 * that the order of the rows never shows in a decision.
 */
export interface Fleet {
  readonly hostCount: number;
  readonly hostIds: readonly string[];
  readonly names: readonly string[];
  readonly states: Uint8Array;
  readonly connectivities: Uint8Array;
  readonly accelerators: Uint8Array;
  readonly capacity: Readonly<Record<keyof Amounts, Float64Array>>;
  /** Capacity minus reservations; below zero where a host has shrunk under its VMs. */
  readonly free: Readonly<Record<keyof Amounts, Float64Array>>;
}

const byHostId = (left: HostRow, right: HostRow): number =>
  left.hostId < right.hostId ? -1 : left.hostId > right.hostId ? 1 : 0;

const columns = (length: number): Record<keyof Amounts, Float64Array> => ({
  vcpuCount: new Float64Array(length),
  memoryBytes: new Float64Array(length),
  diskBytes: new Float64Array(length),
  dedicatedCpuCount: new Float64Array(length),
  hugePages2MibBytes: new Float64Array(length),
  hugePages1GibBytes: new Float64Array(length),
});

/** Columns of the rows given. Throws RangeError if a host is there twice: its capacity would count double. */
export function fleetOf(rows: readonly HostRow[]): Fleet {
  const sorted = rows.toSorted(byHostId);
  const length = sorted.length;
  const fleet = {
    hostCount: length,
    hostIds: sorted.map((row) => row.hostId),
    names: sorted.map((row) => row.name),
    states: new Uint8Array(length),
    connectivities: new Uint8Array(length),
    accelerators: new Uint8Array(length),
    capacity: columns(length),
    free: columns(length),
  };
  for (const [index, row] of sorted.entries()) {
    if (row.hostId === sorted[index - 1]?.hostId) throw new RangeError(`host ${row.hostId} is in the fleet twice`);
    fleet.states[index] = STATE[row.state];
    fleet.connectivities[index] = CONNECTIVITY[row.connectivity];
    fleet.accelerators[index] = ACCELERATOR[row.accelerator ?? 'none'];
    for (const dimension of DIMENSIONS) {
      fleet.capacity[dimension][index] = row.capacity[dimension];
      fleet.free[dimension][index] = row.capacity[dimension] - row.reserved[dimension];
    }
  }
  return fleet;
}

/** One number of a column. Indexes come from loops below `hostCount`, which is the length of every column. */
export const cell = (column: Float64Array | Uint8Array, index: number): number => column[index] as number;
