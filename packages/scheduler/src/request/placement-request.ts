import type { Accelerator } from '@kvorum/schema';
import type { Amounts } from '../fleet/amounts.js';

export const SMT_POLICIES = ['prefer', 'require', 'isolate'] as const;
/**
 * How dedicated CPUs lie on cores. `prefer`: full cores where there are some, half ones otherwise; `require`: full cores of
 * a host with SMT; `isolate`: a core for each CPU, its other thread left idle.
 */
export type SmtPolicy = (typeof SMT_POLICIES)[number];

/** `memoryBytes` includes what the hypervisor needs for the VM (memoryOverheadBytes of the schema package). What is left out is not asked for. */
export interface PlacementRequest extends Amounts {
  /** null: whatever the host offers. */
  readonly accelerator: Accelerator | null;
  /** Only this host, or none. */
  readonly hostId: string | null;
  /** Hosts not to be used, for instance because they just failed. */
  readonly excludedHostIds: readonly string[];
  /** Of a VM that is placed already: it does not stand in its own way. */
  readonly vmId?: string;
  readonly requiredTraits?: readonly string[];
  readonly forbiddenTraits?: readonly string[];
  readonly cpuBaseline?: string;
  readonly needsNestedVirtualisation?: boolean;
  readonly storagePoolIds?: readonly string[];
  readonly networkIds?: readonly string[];
  /** Per level the domains that will do: `{ zone: ['a', 'b'] }`. */
  readonly domains?: Readonly<Record<string, readonly string[]>>;
  readonly hostGroupId?: string;
  /** Placement groups the VM is a member of. */
  readonly groupIds?: readonly string[];
  /** The VM's CPUs and memory lie evenly on so many NUMA nodes of the host; 1: on one. */
  readonly numaNodeCount?: number;
  /**
   * What each NUMA node of the guest takes of one node of the host; several may lie on the same. One alone may be spread
   * where no node holds it. Not together with `numaNodeCount`, which asks for nodes of the host that differ.
   */
  readonly guestNodes?: readonly GuestNodeNeed[];
  readonly smt?: SmtPolicy;
  /** Its host may fail, and it must find another one in the group. */
  readonly isHighlyAvailable?: boolean;
}

/** `memoryBytes` is ordinary memory that is bound to the node, without what the hypervisor needs. */
export interface GuestNodeNeed {
  /** CPUs of its own, before those that its SMT policy leaves idle. */
  readonly cpuCount: number;
  readonly memoryBytes: number;
  readonly hugePages2MibBytes: number;
  readonly hugePages1GibBytes: number;
}

/** A VM where it is. */
export interface PlacedVm {
  readonly vmId: string;
  readonly hostId: string;
  /** As if it were placed anew; `hostId` of it is not looked at. */
  readonly request: PlacementRequest;
  /** Where in the host; null: not known, or of no account. */
  readonly numa: NumaPlan | null;
  /** `live`: while it runs; `stopped`: it is not running; `no`: must stay, for the reason given. */
  readonly mobility?: 'live' | 'stopped' | { readonly no: string };
  /** CPU it uses, in host CPUs, as measured. */
  readonly loadCpuCount?: number;
}

/** Which part of a VM lies on which NUMA node. Nodes are named once each. */
export type NumaPlan = readonly NumaShare[];
export type NumaShare = {
  readonly node: number;
  /** Hardware threads taken, those left idle included. */
  readonly cpuCount: number;
  /** Of these, as whole cores. */
  readonly wholeCoreCount: number;
  readonly memoryBytes: number;
  readonly hugePages2MibBytes: number;
  readonly hugePages1GibBytes: number;
};
