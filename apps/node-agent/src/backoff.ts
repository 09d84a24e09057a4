/**
 * How long to wait before the next attempt: doubling, with full jitter, so that hundreds of hosts that lost the same
 * control plane do not come back in one instant.
 */
export function backoffMs(attempt: number, delayMsMin: number, delayMsMax: number): number {
  const ceilingMs = Math.min(delayMsMax, delayMsMin * 2 ** Math.min(attempt, 30));
  return Math.round(delayMsMin + Math.random() * (ceilingMs - delayMsMin));
}
