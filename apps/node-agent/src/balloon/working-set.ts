import type { GuestMemoryStats } from '@kvorum/hypervisor-driver';

/**
 * What the guest cannot do without: what its balloon leaves it, less what it could hand out without swapping. That holds
 * whether the guest counts the balloon's pages as used (Linux with deflate-on-oom) or as gone (without): both lower what is
 * available by the same. Null: it gives no figure to judge by. A guest that lies only moves its own bounds, never below
 * its minimum.
 */
export function workingSetBytesOf(actualBytes: number, stats: GuestMemoryStats): number | null {
  const available = availableBytesOf(stats);
  return available === null ? null : Math.max(0, actualBytes - available);
}

/** Linux before 4.6 does not say what is available; free memory and page cache come near it. */
export function availableBytesOf(stats: GuestMemoryStats): number | null {
  if (stats.availableBytes !== null) return stats.availableBytes;
  return stats.freeBytes === null || stats.diskCacheBytes === null ? null : stats.freeBytes + stats.diskCacheBytes;
}
