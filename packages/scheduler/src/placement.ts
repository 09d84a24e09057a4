import { type Accelerator, MIB } from '@kvorum/schema';
import type { Amounts } from './fleet.js';

/**
 * What one VM costs its host beyond the guest's memory: QEMU itself, its page tables, and tcg's buffer of translated
 * code, which is the largest part. A flat figure on the safe side for both accelerators.
 */
export const MEMORY_OVERHEAD_BYTES_PER_VM = 192 * MIB;

/** A decision names at most so many hosts: it is stored with every VM, whatever the size of the fleet. */
export const VERDICT_COUNT_MAX = 20;

/** `memoryBytes` includes the overhead of the VM. */
export interface PlacementRequest extends Amounts {
  /** null: whatever the host offers. */
  readonly accelerator: Accelerator | null;
  /** Only this host, or none. */
  readonly hostId: string | null;
  /** Hosts not to be used, for instance because they just failed. */
  readonly excludedHostIds: readonly string[];
}

export const FILTER_NAMES = [
  'requested-host',
  'excluded',
  'host-state',
  'connectivity',
  'accelerator',
  'capacity-vcpus',
  'capacity-memory',
  'capacity-disk',
  'capacity-dedicated-cpus',
  'capacity-huge-pages-2mib',
  'capacity-huge-pages-1gib',
] as const;
export type FilterName = (typeof FILTER_NAMES)[number];

export const SCORE_NAMES = ['accelerator', 'pack', 'balance'] as const;
export type ScoreName = (typeof SCORE_NAMES)[number];

/** Each part is between 0 and 1, times its weight; the host with the largest total wins. */
export type PlacementScore = {
  readonly total: number;
  readonly parts: Readonly<Record<ScoreName, number>>;
};

/** One reason against one host. `needed` and `free` are there where the filter is about an amount. */
export type Objection = {
  readonly filter: FilterName;
  readonly reason: string;
  readonly needed: number | null;
  readonly free: number | null;
};

export type HostVerdict = {
  readonly hostId: string;
  readonly hostName: string;
  readonly fits: boolean;
  readonly score: PlacementScore | null;
  /** Every filter that rejects the host, not only the first. */
  readonly objections: readonly Objection[];
};

/** The least that would have to change for the VM to fit somewhere. */
export type Relaxation = {
  readonly hostId: string;
  readonly hostName: string;
  readonly changes: readonly string[];
};

/** A decision that explains itself; plain JSON, bounded in size. */
export type PlacementRecord = {
  readonly outcome: 'placed' | 'refused';
  readonly needed: Amounts & { readonly accelerator: Accelerator | null; readonly hostId: string | null };
  readonly hostCount: number;
  readonly candidateCount: number;
  /** Each host that does not fit is counted once, under the first filter that rejects it. */
  readonly rejections: readonly { readonly filter: FilterName; readonly rejected: number }[];
  /** The best candidates first, then the hosts that came closest. */
  readonly verdicts: readonly HostVerdict[];
  readonly omittedVerdictCount: number;
  readonly chosen: { readonly hostId: string; readonly hostName: string; readonly score: PlacementScore } | null;
  readonly relaxation: Relaxation | null;
  /** One sentence for people. */
  readonly summary: string;
};

export type Placement =
  | {
      readonly kind: 'placed';
      readonly hostId: string;
      readonly score: PlacementScore;
      readonly record: PlacementRecord;
    }
  | { readonly kind: 'refused'; readonly record: PlacementRecord };
