import { parseCpuList } from '@kvorum/hypervisor-driver';
import { type HostFacts, KIB } from '@kvorum/schema';

export interface HostNode {
  readonly id: number;
  readonly cpus: readonly number[];
  readonly memoryBytes: number;
  /** Bytes the host has set aside in huge pages, by their size in bytes. */
  readonly hugeBytes: Readonly<Record<number, number>>;
}

/** What VMs can be given of a host's processors and memory controllers. */
export interface HostTopology {
  readonly nodes: readonly HostNode[];
  /** CPUs of each core: more than one are SMT siblings. */
  readonly cores: readonly (readonly number[])[];
  /** Row and column in the order of `nodes`; empty: not told. */
  readonly distances: readonly (readonly number[])[];
  /** Never a VM's own: the host's programs, other threads of QEMU and shared vCPUs always find these. */
  readonly keptCpus: readonly number[];
}

/** One is enough for kernel, agent and QEMU's main loops on hosts of today; busy hosts keep more (--host-cpus). */
export const HOST_CPU_COUNT_DEFAULT = 1;

/** Pure. Only CPUs that VMs may be run on. Keeps whole cores for the host, from the first: at least `hostCpuCount` CPUs of them. */
export function topologyOf(
  facts: Pick<HostFacts, 'numaNodes' | 'hardware'>,
  usableCpus: readonly number[],
  hostCpuCount = HOST_CPU_COUNT_DEFAULT,
): HostTopology {
  const nodes = facts.numaNodes.map(({ id, cpus, memoryBytes, hugePages }) => ({
    id,
    cpus: cpus.filter((cpu) => usableCpus.includes(cpu)).sort((a, b) => a - b),
    memoryBytes,
    hugeBytes: Object.fromEntries(
      Object.entries(hugePages).map(([sizeKib, count]) => [Number(sizeKib) * KIB, Number(sizeKib) * KIB * count]),
    ),
  }));
  const online = new Set(nodes.flatMap((node) => node.cpus));
  const known = (facts.hardware?.cores ?? []).map(({ cpus }) => parseCpuList(cpus).filter((cpu) => online.has(cpu)));
  const inKnown = new Set(known.flat());
  // A CPU of which the kernel tells no core is a core of its own.
  const cores = [...known, ...[...online].filter((cpu) => !inKnown.has(cpu)).map((cpu) => [cpu])]
    .filter((cpus) => cpus.length > 0)
    .sort((left, right) => (left[0] ?? 0) - (right[0] ?? 0));
  const keptCpus: number[] = [];
  for (const core of cores) if (keptCpus.length < hostCpuCount) keptCpus.push(...core);
  return { nodes, cores, distances: facts.hardware?.numaDistances ?? [], keptCpus };
}

/** SMT threads per core; 1: no SMT, or turned off. Cores of one host differ only where some CPUs are offline. */
export const threadsPerCore = ({ cores }: Pick<HostTopology, 'cores'>): number =>
  cores.reduce((most, core) => Math.max(most, core.length), 1);

/** CPUs that VMs may have for themselves. */
export const offeredCpuCount = ({ nodes, keptCpus }: HostTopology): number =>
  nodes.reduce((sum, node) => sum + node.cpus.length, 0) - keptCpus.length;
