import { z } from 'zod';
import { GIB, MEMORY_BYTES_MAX, MIB, NUMA_NODE_COUNT_MAX, VCPU_COUNT_MAX } from '../limits.js';

/** The huge pages of x86-64, Documentation/admin-guide/mm/hugetlbpage.rst. */
export const HUGE_PAGE_BYTES = [2 * MIB, GIB] as const;

const GuestNode = z.strictObject({
  vcpuCount: z.int().min(1).max(VCPU_COUNT_MAX),
  memoryBytes: z
    .int()
    .min(MIB)
    .max(MEMORY_BYTES_MAX)
    .multipleOf(MIB, { error: 'must be a whole number of MiB (1048576 bytes)' }),
});
export type GuestNode = z.infer<typeof GuestNode>;

/** How the memory of a VM is backed on its host and laid out for the guest. Part of VmHardware. */
export const VmMemory = z
  .strictObject({
    numaNodeCount: z.int().min(1).max(NUMA_NODE_COUNT_MAX).default(1).meta({
      description: 'NUMA nodes the guest sees. With more than one, each is bound to one NUMA node of the host',
    }),
    numaNodes: z.array(GuestNode).max(NUMA_NODE_COUNT_MAX).nullable().default(null).meta({
      description: 'What each of them has; null: as even a split as there is. As many as numaNodeCount says',
    }),
    hugePageBytes: z.literal(HUGE_PAGE_BYTES).nullable().default(null).meta({
      description:
        '2097152 or 1073741824: only in pages of that size, which the host has set aside; null: ordinary pages',
    }),
    isLocked: z.boolean().default(false).meta({ description: 'Never swapped out; taken from the host at the start' }),
    isPreallocated: z
      .boolean()
      .default(false)
      .meta({ description: 'Taken from the host at the start, not when the guest first touches it' }),
  })
  .refine(({ numaNodes, numaNodeCount }) => numaNodes === null || numaNodes.length === numaNodeCount, {
    path: ['numaNodes'],
    error: 'must be as many as numaNodeCount says',
  })
  .meta({ id: 'VmMemory' });
export type VmMemory = z.infer<typeof VmMemory>;
