import { ordinaryMemoryBytes } from '@kvorum/schema';
import type { LaunchSpec } from '../driver.js';
import type { CgroupLimits } from './cgroups.js';

/** Main loop and disk work beside the vCPUs. */
const EMULATOR_CPU_COUNT = 1;
/** QEMU's pool for disk work has 64 threads at most (util/thread-pool.c), besides main loop, RCU and signal threads. */
const EMULATOR_TASK_COUNT = 128;

/** What a VM's process may use of the host: what its guest was promised, and a bounded share for the hypervisor. */
export const limitsOf = (
  launch: Pick<LaunchSpec, 'memoryBytes' | 'vcpuCount' | 'accelerator' | 'hardware'>,
): CgroupLimits => ({
  memoryBytes: ordinaryMemoryBytes(launch),
  cpuCount: launch.vcpuCount + EMULATOR_CPU_COUNT,
  taskCount: launch.vcpuCount + EMULATOR_TASK_COUNT,
});
