import { GIB, MIB } from '@kvorum/schema';
import { type HostTopology, threadsPerCore } from './host-topology.js';
import { BINDABLE_SHARE, type HostClaim } from './plan-pinning.js';

/** What no VM has of one NUMA node; by these numbers the control plane looks for a host. */
export interface NodeRoom {
  readonly dedicatedCpuCount: number;
  /** Of these, cores of which all threads are free. */
  readonly wholeCoreCount: number;
  /** Ordinary memory that may be bound to it. */
  readonly memoryBytes: number;
  readonly hugePages2MibBytes: number;
  readonly hugePages1GibBytes: number;
}

/** In the order of the topology's nodes. Pure; counts as planPinning does, so that both say the same of a VM. */
export function nodeRooms(topology: HostTopology, claims: readonly HostClaim[]): NodeRoom[] {
  const taken = new Set([...topology.keptCpus, ...claims.flatMap((claim) => [...claim.vcpuCpus, ...claim.idleCpus])]);
  const threadCount = threadsPerCore(topology);
  return topology.nodes.map(({ id, cpus, memoryBytes, hugeBytes }) => {
    const free = new Set(cpus.filter((cpu) => !taken.has(cpu)));
    const whole = topology.cores.filter((core) => core.length === threadCount && core.every((cpu) => free.has(cpu)));
    const left = (bytes: number, pageBytes: number | null): number =>
      Math.max(0, Math.floor(bytes) - boundBytes(claims, id, pageBytes));
    return {
      dedicatedCpuCount: free.size,
      wholeCoreCount: whole.length,
      memoryBytes: left(memoryBytes * BINDABLE_SHARE, null),
      hugePages2MibBytes: left(hugeBytes[2 * MIB] ?? 0, 2 * MIB),
      hugePages1GibBytes: left(hugeBytes[GIB] ?? 0, GIB),
    };
  });
}

const boundBytes = (claims: readonly HostClaim[], nodeId: number, pageBytes: number | null): number =>
  claims
    .filter((claim) => claim.pageBytes === pageBytes)
    .flatMap(({ memoryNodes, nodeBytes }) => memoryNodes.map((id, at) => (id === nodeId ? (nodeBytes[at] ?? 0) : 0)))
    .reduce((sum, bytes) => sum + bytes, 0);
