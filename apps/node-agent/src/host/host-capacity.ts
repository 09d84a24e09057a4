import { readdir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { GIB, type HostFacts, MIB, VCPU_OVERCOMMIT_RATIO } from '@kvorum/schema';
import { type HostTopology, offeredCpuCount, threadsPerCore } from '../cpu/host-topology.js';

/** What VMs may reserve on this host. */
export interface Capacity {
  readonly vcpuCount: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  /** CPUs that VMs may have for themselves; each of them counts for VCPU_OVERCOMMIT_RATIO of `vcpuCount`. */
  readonly dedicatedCpuCount: number;
  readonly hugePages2MibBytes: number;
  readonly hugePages1GibBytes: number;
  readonly threadsPerCore: number;
}

export interface CapacityLimits {
  readonly vcpuCount: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly diskBytes: number | undefined;
  /** What the host keeps of its memory; undefined: 5 %, at least 1 GiB. */
  readonly hostMemoryBytes: number | undefined;
}

/** Kept for the host itself: kernel, agent, page cache. */
const HOST_MEMORY_BYTES_MIN = GIB;
const HOST_MEMORY_SHARE = 0.05;
/** st_blocks counts in 512 bytes whatever the file system's block size is, stat(2). */
const STAT_BLOCK_BYTES = 512;

/** Pure: flags limit what the host has, they never add to it. */
export function capacityOf(
  facts: Pick<HostFacts, 'hostCpuCount' | 'memoryBytes'>,
  topology: HostTopology,
  usableDiskBytes: number,
  limits: CapacityLimits,
): Capacity {
  const reservedForHost = limits.hostMemoryBytes ?? hostMemoryBytesOf(facts.memoryBytes);
  const hugeBytes = (pageBytes: number): number =>
    topology.nodes.reduce((sum, node) => sum + (node.hugeBytes[pageBytes] ?? 0), 0);
  const [hugePages2MibBytes, hugePages1GibBytes] = [hugeBytes(2 * MIB), hugeBytes(GIB)];
  // What is set aside in huge pages is nobody's ordinary memory.
  const ordinaryBytes = facts.memoryBytes - reservedForHost - hugePages2MibBytes - hugePages1GibBytes;
  return {
    vcpuCount: atMost(facts.hostCpuCount * VCPU_OVERCOMMIT_RATIO, limits.vcpuCount),
    memoryBytes: atMost(wholeMib(ordinaryBytes), limits.memoryBytes),
    diskBytes: atMost(wholeMib(usableDiskBytes), limits.diskBytes),
    dedicatedCpuCount: offeredCpuCount(topology),
    hugePages2MibBytes,
    hugePages1GibBytes,
    threadsPerCore: threadsPerCore(topology),
  };
}

const hostMemoryBytesOf = (memoryBytes: number): number =>
  Math.max(HOST_MEMORY_BYTES_MIN, memoryBytes * HOST_MEMORY_SHARE);
const atMost = (amount: number, limit: number | undefined): number => Math.min(amount, limit ?? amount);
const wholeMib = (bytes: number): number => Math.max(0, Math.floor(bytes / MIB) * MIB);

/**
 * Free space of the file system plus what VMs' disks occupy: capacity is what reservations are counted against, so it
 * must not shrink while the disks that were reserved fill up.
 */
export async function usableDiskBytes(disksFolder: string): Promise<number> {
  const fileSystem = await statfs(disksFolder);
  return fileSystem.bavail * fileSystem.bsize + (await occupiedBytes(disksFolder));
}

async function occupiedBytes(disksFolder: string): Promise<number> {
  let bytes = 0;
  for (const vm of await readdir(disksFolder)) {
    for (const disk of await readdir(join(disksFolder, vm)).catch(() => [])) {
      // A disk that is removed meanwhile occupies nothing.
      bytes += await stat(join(disksFolder, vm, disk)).then(
        ({ blocks }) => blocks * STAT_BLOCK_BYTES,
        () => 0,
      );
    }
  }
  return bytes;
}
