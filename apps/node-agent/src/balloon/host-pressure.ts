import {
  AVAILABLE_SHARE_AMPLE,
  AVAILABLE_SHARE_HIGH,
  AVAILABLE_SHARE_LOW,
  QUANTUM_SHARE,
  STALL_PERCENT_HIGH,
  STALL_PERCENT_LOW,
} from './balloon-policy.js';

/** How scarce the host's memory is. */
export interface HostPressure {
  readonly totalBytes: number;
  readonly availableBytes: number;
  /** Percent of the last 10 s in which some or all tasks waited for memory; null: the kernel does not tell. */
  readonly stallPercent: { readonly some: number; readonly full: number } | null;
}

/** Where the host's pressure comes from. The kernel in production; tests give their own. */
export interface PressureSource {
  /** Throws `host_fault` when it cannot be told. */
  read(): Promise<HostPressure>;
}

/** high: take memory from guests. medium: leave all as it is. none: give it back. */
export type PressureLevel = 'high' | 'medium' | 'none';

/** Two marks for each figure: between them nothing moves, or each answer to pressure would undo the one before. */
export function pressureLevelOf({ totalBytes, availableBytes, stallPercent }: HostPressure): PressureLevel {
  const share = availableBytes / totalBytes;
  const isAmple = share >= AVAILABLE_SHARE_AMPLE;
  const hasStalls =
    stallPercent !== null &&
    (stallPercent.some >= STALL_PERCENT_HIGH.some || stallPercent.full >= STALL_PERCENT_HIGH.full);
  const isCalm =
    stallPercent === null || (stallPercent.some < STALL_PERCENT_LOW.some && stallPercent.full < STALL_PERCENT_LOW.full);
  if (share < AVAILABLE_SHARE_LOW || (hasStalls && !isAmple)) return 'high';
  return share >= AVAILABLE_SHARE_HIGH && (isCalm || isAmple) ? 'none' : 'medium';
}

/**
 * What all guests together are to give (high) or may get back (none) in one round. Taking aims between the marks: at the
 * high one the next round would give back.
 */
export function amountBytesOf({ totalBytes, availableBytes }: HostPressure, level: PressureLevel): number {
  if (level === 'medium') return 0;
  const bytes =
    level === 'high'
      ? totalBytes * ((AVAILABLE_SHARE_LOW + AVAILABLE_SHARE_HIGH) / 2) - availableBytes
      : availableBytes - totalBytes * AVAILABLE_SHARE_HIGH;
  return Math.max(bytes, totalBytes * QUANTUM_SHARE);
}
