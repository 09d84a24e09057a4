import type { VmPlacement } from '@kvorum/hypervisor-driver';
import { DomainError, type VmSize } from '@kvorum/schema';
import type { HostTopology } from './host-topology.js';
import { type NodeRoom, nodeRooms } from './node-room.js';
import { type HostClaim, NO_CLAIM, planPinning } from './plan-pinning.js';

/**
 * Who has which CPUs and which memory of this host for itself. Shared by the actors of a host; every method is one step, so
 * none can race. What is claimed is in the VM's record before its process starts, and restored from there.
 */
export class HostCpus {
  #topology: HostTopology;
  readonly #claims = new Map<string, HostClaim>();

  constructor(topology: HostTopology) {
    this.#topology = topology;
  }

  get topology(): HostTopology {
    return this.#topology;
  }

  /** The host was looked at again: huge pages may be more or fewer. */
  update(topology: HostTopology): void {
    this.#topology = topology;
  }

  /** What the VM asks for, of what no other VM has. What it had before is given back. Throws `no_capacity` with numbers. */
  claim(vmId: string, vm: VmSize): HostClaim {
    const others = [...this.#claims].filter(([owner]) => owner !== vmId).map(([, claim]) => claim);
    const plan = planPinning(this.#topology, others, vm);
    if (plan.kind === 'refused') {
      const { message, neededCpus, freeCpus } = plan;
      throw new DomainError('no_capacity', `the VM does not fit on this host: ${message}`, {
        details: { neededCpus, freeCpus },
      });
    }
    this.restore(vmId, plan.claim);
    return plan.claim;
  }

  /** Records what a VM has, as found after a restart of the agent. */
  restore(vmId: string, claim: HostClaim): void {
    this.#claims.set(vmId, claim);
  }

  release(vmId: string): void {
    this.#claims.delete(vmId);
  }

  /** What nobody has of each node now. */
  rooms(): NodeRoom[] {
    return nodeRooms(this.#topology, [...this.#claims.values()]);
  }

  /** Where a VM's threads and memory belong now. Others' claims change it: `otherCpus` is what nobody has for himself. */
  placementOf(vmId: string): VmPlacement {
    const { vcpuCpus, memoryNodes } = this.#claims.get(vmId) ?? NO_CLAIM;
    const rows = memoryNodes.map((id) => this.#topology.nodes.findIndex((node) => node.id === id));
    const { distances } = this.#topology;
    const isTold = rows.every((row) => distances[row]?.length === distances.length);
    return {
      vcpuCpus,
      otherCpus: this.#sharedCpus(),
      memoryNodes,
      memoryDistances: isTold ? rows.map((row) => rows.map((column) => distances[row]?.[column] ?? 0)) : [],
    };
  }

  #sharedCpus(): readonly number[] {
    const owned = new Set([...this.#claims.values()].flatMap((claim) => [...claim.vcpuCpus, ...claim.idleCpus]));
    return this.#topology.nodes.flatMap((node) => node.cpus).filter((cpu) => !owned.has(cpu));
  }
}
