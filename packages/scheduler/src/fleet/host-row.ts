import type { Accelerator } from '@kvorum/schema';
import type { Amounts, Dimension } from './amounts.js';

/** One host as the database knows it. What is optional is what a host need not have. */
export interface HostRow {
  readonly hostId: string;
  readonly name: string;
  readonly state: 'active' | 'cordoned' | 'revoked';
  readonly connectivity: 'connected' | 'unreachable';
  readonly accelerator: Accelerator | null;
  /** What there is, before overcommit. */
  readonly capacity: Amounts;
  readonly reserved: Amounts;
  /** How much of a resource may be promised for each one there is; 1 unless given. Dedicated CPUs and huge pages: never. */
  readonly overcommit?: { readonly vcpuCount?: number; readonly memoryBytes?: number; readonly diskBytes?: number };
  /** Labels of hardware and software: `avx512`, `gpu-a100`, `sev`. */
  readonly traits?: Iterable<string>;
  /** CPU models that a VM may be given here and migrated with, such as `x86-64-v3`. */
  readonly cpuBaselines?: readonly string[];
  readonly nestsVms?: boolean;
  readonly storagePoolIds?: readonly string[];
  readonly networkIds?: readonly string[];
  /** What fails together, by level: `{ zone: 'a', rack: 'a-07', power: 'feed-2' }`. */
  readonly domains?: Readonly<Record<string, string>>;
  readonly hostGroupId?: string;
  /** Hardware threads of one core; 1 where SMT is off. */
  readonly threadsPerCore?: 1 | 2;
  readonly numaNodes?: readonly NumaNodeFree[];
}

/** What one NUMA node has free. */
export interface NumaNodeFree {
  readonly memoryBytes: number;
  /** Hardware threads offered for dedication that no VM has. */
  readonly dedicatedCpuCount: number;
  /** Of these, cores of which all threads are free; by default as many as the threads allow. */
  readonly wholeCoreCount?: number;
  readonly hugePages2MibBytes: number;
  readonly hugePages1GibBytes: number;
}

export const POLICIES = ['pack', 'spread', 'balanced'] as const;
export type Policy = (typeof POLICIES)[number];

/** Hosts that are filled by one policy and keep room for each other's VMs. */
export interface HostGroup {
  readonly hostGroupId: string;
  /** For people; the id unless given. */
  readonly name?: string;
  readonly policy: Policy;
  /** So many hosts of the group, whichever, may be lost at once, and its highly available VMs still have a place in it. */
  readonly haReserveHostCount: number;
}

/** VMs that are to be near each other or apart: one rule of a group, which has as many as name it. It holds for all members alike. */
export interface PlacementGroup {
  readonly groupId: string;
  /** For people; the id unless given. */
  readonly name?: string;
  /** `affinity`: all members in one domain; `anti-affinity`: no two in one; `spread`: counts differ by at most `skewMax`. */
  readonly kind: 'affinity' | 'anti-affinity' | 'spread';
  /** `host`, or a level of `HostRow.domains`. */
  readonly level: string;
  /** A soft rule makes hosts better or worse, a hard one rules them out. */
  readonly strength: 'hard' | 'soft';
  /** For `spread`: at least 1. */
  readonly skewMax?: number;
}

export const nameOfGroup = (group: PlacementGroup | undefined): string => group?.name ?? group?.groupId ?? '';
export const nameOfHostGroup = (group: HostGroup | undefined): string => group?.name ?? group?.hostGroupId ?? '';

/** Level of a domain that is one host. */
export const HOST_LEVEL = 'host';

export const overcommitOf = (row: HostRow, dimension: Dimension): number =>
  dimension === 'vcpuCount' || dimension === 'memoryBytes' || dimension === 'diskBytes'
    ? (row.overcommit?.[dimension] ?? 1)
    : 1;

export const byHostId = (left: HostRow, right: HostRow): number =>
  left.hostId < right.hostId ? -1 : left.hostId > right.hostId ? 1 : 0;

/** Whether the columns that are made for all hosts at once have room for the new row. */
export const isSameShape = (before: HostRow, after: HostRow): boolean =>
  before.name === after.name &&
  (before.numaNodes?.length ?? 0) === (after.numaNodes?.length ?? 0) &&
  JSON.stringify(before.domains) === JSON.stringify(after.domains);
