import { MIB } from '@kvorum/schema';
import type { LaunchSpec } from '../driver.js';
import type { CgroupLimits } from './cgroups.js';

/** QEMU itself: code, device models, emulation's translation cache. What the control plane reserves for each VM. */
const EMULATOR_MEMORY_BYTES = 192 * MIB;
/** Page tables of host and guest memory: 8 bytes per 4 KiB page, twice. */
const PAGE_TABLE_SHARE = 256;
/** Main loop and disk work beside the vCPUs. */
const EMULATOR_CPU_COUNT = 1;
/** QEMU's pool for disk work has 64 threads at most (util/thread-pool.c), besides main loop, RCU and signal threads. */
const EMULATOR_TASK_COUNT = 128;

/** What a VM's process may use of the host: what its guest was promised, and a bounded share for the hypervisor. */
export const limitsOf = ({ memoryBytes, vcpuCount }: Pick<LaunchSpec, 'memoryBytes' | 'vcpuCount'>): CgroupLimits => ({
  memoryBytes: memoryBytes + EMULATOR_MEMORY_BYTES + Math.ceil(memoryBytes / PAGE_TABLE_SHARE),
  cpuCount: vcpuCount + EMULATOR_CPU_COUNT,
  taskCount: vcpuCount + EMULATOR_TASK_COUNT,
});
