import { GIB, MIB } from '@kvorum/schema';

/** The policy's numbers; docs/ballooning.md explains them. Shares of the host's memory are of MemTotal. */

/** Below this the kernel soon reclaims in the way of whoever allocates: memory is taken from guests. */
export const AVAILABLE_SHARE_LOW = 0.08;
/** From here on memory is given back. The distance to the low mark keeps what is given from being taken at once. */
export const AVAILABLE_SHARE_HIGH = 0.15;
/** With this much available, stalls come from the bounds of one cgroup, and memory of other guests would not help it. */
export const AVAILABLE_SHARE_AMPLE = 0.25;
/** Percent of the last 10 s in which some, or all, tasks waited for memory (Documentation/accounting/psi.rst). */
export const STALL_PERCENT_HIGH = { some: 10, full: 2 } as const;
export const STALL_PERCENT_LOW = { some: 2, full: 0.5 } as const;
/** At the least this part of the host's memory moves in a round: a need below it would be met in crumbs. */
export const QUANTUM_SHARE = 1 / 64;

/** Of a VM's memory, per round: a guest swaps or drops caches in the meantime, and the next round sees what it did to it. */
const STEP_SHARE = 1 / 8;
const STEP_BYTES_MIN = 32 * MIB;
export const stepBytesOf = (memoryBytes: number): number =>
  Math.max(STEP_BYTES_MIN, Math.floor((memoryBytes * STEP_SHARE) / MIB) * MIB);

/** Left to a guest above its working set, so that its next allocation is met without the balloon's help. */
const MARGIN_SHARE = 1 / 16;
const MARGIN_BYTES_MIN = 32 * MIB;
const MARGIN_BYTES_MAX = GIB;
export const marginBytesOf = (memoryBytes: number): number =>
  Math.min(MARGIN_BYTES_MAX, Math.max(MARGIN_BYTES_MIN, Math.floor((memoryBytes * MARGIN_SHARE) / MIB) * MIB));

/** A guest with less than this part of its margin available is short: it gets memory whatever the host's pressure. */
export const SHORT_SHARE_OF_MARGIN = 0.5;

/** How long a VM's balloon rests before it moves the other way. PSI's average needs 10 s to forget a stall. */
export const HOLD_OFF_MS = 15_000;
/** Five answers missed: figures that old say nothing of the guest as it is. */
export const STATS_AGE_MS_MAX = 10_000;
/** How often the guest is asked; one virtqueue notification each time. */
export const STATS_INTERVAL_S = 2;
/** How often decisions are made. The guest's figures are not newer than this anyway. */
export const ROUND_INTERVAL_MS = 2_000;
