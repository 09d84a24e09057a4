import type { Dimension } from './amounts.js';
import { type HostSet, hostSetOf } from './host-set.js';

/** Nobody, for each dimension. */
export const setPerDimension = (hostCount: number): Record<Dimension, HostSet> => ({
  vcpuCount: hostSetOf(hostCount),
  memoryBytes: hostSetOf(hostCount),
  diskBytes: hostSetOf(hostCount),
  dedicatedCpuCount: hostSetOf(hostCount),
  hugePages2MibBytes: hostSetOf(hostCount),
  hugePages1GibBytes: hostSetOf(hostCount),
});
