import { DomainError, type HostFacts } from '@kvorum/schema';

/** Which VM has which host CPUs to itself. Shared by the actors of a host; every method is one step, so none can race. */
export class CpuAllocator {
  readonly #nodes: readonly (readonly number[])[];
  readonly #ownerOfCpu = new Map<number, string>();

  constructor(nodes: HostFacts['numaNodes']) {
    this.#nodes = nodes.map((node) => [...node.cpus].sort((a, b) => a - b));
  }

  /**
   * Claims `count` CPUs that no other VM has: from the fullest NUMA node they all fit in, so that large holes stay, else
   * from several. What the VM had before is given back. Throws `no_capacity`.
   */
  claim(vmId: string, count: number): number[] {
    const freeByNode = this.#nodes.map((cpus) => cpus.filter((cpu) => this.#isFreeFor(cpu, vmId)));
    const free = freeByNode.flat();
    if (free.length < count) {
      throw new DomainError('no_capacity', `${count} CPUs of its own are asked for, ${free.length} are free`, {
        details: { neededCpus: count, freeCpus: free.length },
      });
    }
    const fitting = freeByNode.filter((cpus) => cpus.length >= count).sort((a, b) => a.length - b.length)[0];
    const cpus = (fitting ?? free).slice(0, count);
    this.restore(vmId, cpus);
    return cpus;
  }

  /** Records what a running VM has, as found after a restart of the agent. */
  restore(vmId: string, cpus: readonly number[]): void {
    this.release(vmId);
    for (const cpu of cpus) this.#ownerOfCpu.set(cpu, vmId);
  }

  release(vmId: string): void {
    for (const [cpu, owner] of this.#ownerOfCpu) if (owner === vmId) this.#ownerOfCpu.delete(cpu);
  }

  #isFreeFor(cpu: number, vmId: string): boolean {
    const owner = this.#ownerOfCpu.get(cpu);
    return owner === undefined || owner === vmId;
  }
}
