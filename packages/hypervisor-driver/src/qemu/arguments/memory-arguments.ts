import { GIB, type GuestNode, guestNodesOf, MIB } from '@kvorum/schema';
import type { LaunchSpec } from '../../driver.js';
import { hotMemoryRoom } from '../devices/device-plan.js';
import { options, pairs } from '../option-string.js';

/** Threads that touch preallocated memory: memory bandwidth is reached with few, and they take CPU from other VMs. */
const PREALLOC_THREADS_MAX = 4;
/** ACPI SLIT: 10 is local. Linux refuses a table in which another node is as near as that (slit_valid of drivers/acpi/numa). */
const REMOTE_DISTANCE_MIN = 11;

/**
 * The guest's memory: its size, what backs it on the host, and the NUMA nodes the guest sees. A VM that asks for nothing of it
 * gets `-m` alone: QEMU's own anonymous memory, wherever the kernel finds it.
 */
export function memoryArguments(launch: LaunchSpec): string[] {
  const { memory } = launch.hardware;
  const size = ['-m', memorySize(launch)];
  // on-fault: what is touched stays. `on` would also fill each thread's stack of 8 MiB and all of QEMU's reserved buffers.
  const lock = memory.isLocked ? ['-overcommit', 'mem-lock=on-fault'] : [];
  const nodes = guestNodesOf(launch);
  if (!needsBackends(launch)) return [...size, ...lock];
  const backends = nodes.flatMap((node, index) => ['-object', backend(launch, node, index)]);
  const layout =
    nodes.length === 1
      ? ['-machine', pairs({ 'memory-backend': backendId(0) }).join(',')]
      : [...numaNodes(nodes), ...numaDistances(launch)];
  return [...size, ...lock, ...backends, ...layout];
}

/** maxmem: up to where virtio-mem may lie; left out, the mainboard takes no more. */
function memorySize({ memoryBytes, hardware }: LaunchSpec): string {
  const room = hotMemoryRoom(memoryBytes, hardware.devices.maxMemoryBytes);
  const max = room === 0 ? {} : { maxmem: `${(memoryBytes + room) / MIB}M` };
  return pairs({ size: `${memoryBytes / MIB}M`, ...max }).join(',');
}

/** What QMP calls the backend of a node. */
export const backendId = (nodeIndex: number): string => `memory-${nodeIndex}`;

function needsBackends({ hardware: { memory }, placement }: LaunchSpec): boolean {
  const isOrdinary = memory.hugePageBytes === null && !memory.isLocked && !memory.isPreallocated;
  return !isOrdinary || memory.numaNodeCount > 1 || placement.memoryNodes.length > 0;
}

/** qapi/qom.json: MemoryBackendProperties. `policy=bind`: mbind(2) before the first page is touched. */
function backend(launch: LaunchSpec, node: GuestNode, index: number): string {
  const { hugePageBytes, isLocked, isPreallocated } = launch.hardware.memory;
  const hostNode = launch.placement.memoryNodes[index];
  // Huge pages are taken at the start in any case: a guest that finds none later would be killed by SIGBUS.
  const isTaken = isPreallocated || isLocked || hugePageBytes !== null;
  return options(hugePageBytes === null ? 'memory-backend-ram' : 'memory-backend-memfd', {
    id: backendId(index),
    size: `${node.memoryBytes / MIB}M`,
    ...(hugePageBytes === null ? {} : { share: 'off', hugetlb: 'on', hugetlbsize: hugePageText(hugePageBytes) }),
    ...(isTaken ? { prealloc: 'on', 'prealloc-threads': Math.min(launch.vcpuCount, PREALLOC_THREADS_MAX) } : {}),
    ...(hostNode === undefined ? {} : { 'host-nodes': hostNode, policy: 'bind' }),
  });
}

const hugePageText = (bytes: number): string => (bytes % GIB === 0 ? `${bytes / GIB}G` : `${bytes / MIB}M`);

/** vCPUs by index, numbered through in the order of the nodes. */
function numaNodes(nodes: readonly GuestNode[]): string[] {
  let firstVcpu = 0;
  return nodes.flatMap(({ vcpuCount }, index) => {
    const lastVcpu = firstVcpu + vcpuCount - 1;
    const cpus = vcpuCount === 1 ? `${firstVcpu}` : `${firstVcpu}-${lastVcpu}`;
    firstVcpu = lastVcpu + 1;
    return ['-numa', options('node', { nodeid: index, cpus, memdev: backendId(index) })];
  });
}

/** Each pair once: QEMU fills in the other direction. Without a host's table it takes 20 for each. */
function numaDistances({ placement: { memoryDistances } }: LaunchSpec): string[] {
  return memoryDistances.flatMap((row, src) =>
    row.flatMap((distance, dst) =>
      dst <= src ? [] : ['-numa', options('dist', { src, dst, val: Math.max(distance, REMOTE_DISTANCE_MIN) })],
    ),
  );
}
