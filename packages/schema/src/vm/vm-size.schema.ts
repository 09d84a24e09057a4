import { z } from 'zod';
import { DISK_BYTES_MAX, DISK_BYTES_MIN, MEMORY_BYTES_MAX, MEMORY_BYTES_MIN, MIB, VCPU_COUNT_MAX } from '../limits.js';

/** QEMU takes memory in whole MiB; so do we, and say so instead of rounding. */
export const MemoryBytes = z
  .int()
  .min(MEMORY_BYTES_MIN)
  .max(MEMORY_BYTES_MAX)
  .multipleOf(MIB, { error: 'must be a whole number of MiB (1048576 bytes)' });
/** Disks are sized in whole MiB as well: every image format and file system below can hold that exactly. */
export const DiskBytes = z
  .int()
  .min(DISK_BYTES_MIN)
  .max(DISK_BYTES_MAX)
  .multipleOf(MIB, { error: 'must be a whole number of MiB (1048576 bytes)' });
export const VcpuCount = z.int().min(1).max(VCPU_COUNT_MAX);
