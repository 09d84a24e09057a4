import { MIB, ordinaryMemoryBytes } from '@kvorum/schema';
import type { LaunchSpec } from '../driver.js';
import { imagesOf, isDevice } from '../qemu/devices/image-node.js';
import type { CgroupLimits } from './cgroups.js';

/** Main loop and disk work beside the vCPUs. */
const EMULATOR_CPU_COUNT = 1;
/** QEMU's pool for disk work has 64 threads at most (util/thread-pool.c), besides main loop, RCU and signal threads. */
const EMULATOR_TASK_COUNT = 128;

/**
 * Of each disk in Ceph, which has a client of its own: threads for messages and callbacks, and what is on its way. More than was
 * seen; placement does not reserve it.
 */
const CEPH_CLIENT = { taskCount: 64, memoryBytes: 64 * MIB } as const;

type Limited = Pick<LaunchSpec, 'memoryBytes' | 'vcpuCount' | 'accelerator' | 'hardware' | 'rootImage' | 'attachments'>;

const cephClientsOf = (limited: Limited): number => imagesOf(limited).filter((image) => !isDevice(image)).length;

/** What a VM's process may use of the host: what its guest was promised, and a bounded share for the hypervisor. */
export const limitsOf = (launch: Limited): CgroupLimits => ({
  memoryBytes: ordinaryMemoryBytes(launch) + cephClientsOf(launch) * CEPH_CLIENT.memoryBytes,
  cpuCount: launch.vcpuCount + EMULATOR_CPU_COUNT,
  taskCount: launch.vcpuCount + EMULATOR_TASK_COUNT + cephClientsOf(launch) * CEPH_CLIENT.taskCount,
});
