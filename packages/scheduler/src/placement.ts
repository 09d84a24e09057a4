import type { Accelerator } from '@kvorum/schema';
import type { Amounts } from './fleet/amounts.js';
import type { NumaPlan, PlacementRequest } from './request/placement-request.js';

/** A decision names at most so many hosts: it is stored with every VM, whatever the size of the fleet. */
export const VERDICT_COUNT_MAX = 20;
export const RELAXATION_COUNT_MAX = 8;

export const FILTER_NAMES = [
  'requested-host',
  'excluded',
  'host-state',
  'connectivity',
  'accelerator',
  'cpu-baseline',
  'traits',
  'nested-virtualisation',
  'domains',
  'host-group',
  'storage-pools',
  'networks',
  'affinity',
  'anti-affinity',
  'spread',
  'capacity-vcpus',
  'capacity-memory',
  'capacity-disk',
  'capacity-dedicated-cpus',
  'capacity-huge-pages-2mib',
  'capacity-huge-pages-1gib',
  'smt',
  'numa',
  'ha-reserve',
] as const;
export type FilterName = (typeof FILTER_NAMES)[number];

export const SCORE_NAMES = ['accelerator', 'fill', 'balance', 'soft-rules', 'numa'] as const;
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

/** The least that would have to change for the VM to fit on one host. */
export type Relaxation = {
  readonly hostId: string;
  readonly hostName: string;
  readonly changes: readonly string[];
};

/** A single change that is enough, and on how many hosts it would be. */
export type Remedy = {
  readonly kind: 'more-room' | 'drop-rule' | 'move-vm' | 'ask-for-less';
  readonly filter: FilterName;
  /** As an order: "2 GiB more of free memory on any of 3 hosts", "drop the anti-affinity of group web". */
  readonly change: string;
  readonly hostCount: number;
  /** Some of them, at most 3. */
  readonly hostNames: readonly string[];
};

/** A decision that explains itself; plain JSON, bounded in size. */
export type PlacementRecord = {
  readonly outcome: 'placed' | 'refused';
  readonly needed: Amounts & { readonly accelerator: Accelerator | null; readonly hostId: string | null };
  /** The whole request, so that it can be decided again. */
  readonly request: PlacementRequest;
  /** Of request and fleet: with the same digest, the decision is the same. */
  readonly inputDigest: string;
  /** What in the request contradicts itself or the fleet; such a request is refused whatever is free. */
  readonly contradictions: readonly string[];
  readonly hostCount: number;
  readonly candidateCount: number;
  /** Each host that does not fit is counted once, under the first filter that rejects it. */
  readonly rejections: readonly { readonly filter: FilterName; readonly rejected: number }[];
  /** The best candidates first, then the hosts that came closest. */
  readonly verdicts: readonly HostVerdict[];
  readonly omittedVerdictCount: number;
  readonly chosen: { readonly hostId: string; readonly hostName: string; readonly score: PlacementScore } | null;
  /** By how much the chosen host's total is above the next one's; null where there is no other. */
  readonly margin: number | null;
  readonly relaxation: Relaxation | null;
  /** Single changes that would make it fit, the smallest first; at most RELAXATION_COUNT_MAX. */
  readonly remedies: readonly Remedy[];
  /** One sentence for people. */
  readonly summary: string;
};

export type Placement =
  | {
      readonly kind: 'placed';
      readonly hostId: string;
      /** On which NUMA nodes of the host; empty where it does not matter. */
      readonly numa: NumaPlan;
      readonly score: PlacementScore;
      readonly record: PlacementRecord;
    }
  | { readonly kind: 'refused'; readonly record: PlacementRecord };
