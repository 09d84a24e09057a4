import type { ProbedNetworking } from '@kvorum/host-network';
import type { HypervisorDriver } from '@kvorum/hypervisor-driver';
import type { Accelerator, HostFacts } from '@kvorum/schema';
import type { PressureSource } from '../balloon/host-pressure.js';
import { pressureFinding } from '../balloon/kernel-pressure.js';
import { probeSeedTool } from '../cloud-init/seed-tool.js';
import { type HostTopology, topologyOf } from '../cpu/host-topology.js';
import { acceleratorsOf, factsUnderTrust, type HostTrust } from './choose-accelerator.js';
import { type Capacity, type CapacityLimits, capacityOf, usableDiskBytes } from './host-capacity.js';

export interface HostObservation {
  readonly facts: HostFacts;
  /** Preferred first; empty: no VM can run here. */
  readonly accelerators: readonly Accelerator[];
  readonly capacity: Capacity;
  readonly topology: HostTopology;
}

export interface InventoryOptions extends HostTrust {
  readonly driver: HypervisorDriver;
  readonly disksFolder: string;
  readonly limits: CapacityLimits;
  /** CPUs that no VM has for itself; undefined: one core. */
  readonly hostCpuCount: number | undefined;
  readonly pressure: PressureSource;
  /** Null: the agent makes no networks. */
  readonly probeNetworks: (() => Promise<ProbedNetworking>) | null;
}

/** What this host is and what VMs may reserve of it. */
export class HostInventory {
  readonly #options: InventoryOptions;
  #latest: HostObservation;

  private constructor(options: InventoryOptions, first: HostObservation) {
    this.#options = options;
    this.#latest = first;
  }

  static async open(options: InventoryOptions): Promise<HostInventory> {
    return new HostInventory(options, await observe(options));
  }

  get latest(): HostObservation {
    return this.#latest;
  }

  /** Looks again; returns whether anything an operator would see is different. */
  async refresh(): Promise<boolean> {
    const before = JSON.stringify(this.#latest);
    this.#latest = await observe(this.#options);
    return JSON.stringify(this.#latest) !== before;
  }
}

const NETWORKS_OFF = {
  name: 'networks',
  value: 'off',
  evidence: 'the agent was started without --networks',
  remedy: 'start it with --networks for VMs with network cards on networks',
};

async function observe(options: InventoryOptions): Promise<HostObservation> {
  const driven = factsUnderTrust(await options.driver.observeHost(), options);
  const pressure = pressureFinding(await options.pressure.read());
  const probed = (await options.probeNetworks?.()) ?? null;
  const { seedDisks, finding } = await probeSeedTool();
  const findings = [...driven.findings, pressure, probed?.finding ?? NETWORKS_OFF, finding];
  const facts = { ...driven, findings, networking: probed?.networking ?? null, seedDisks };
  const topology = topologyOf(facts, options.driver.usableCpus(), options.hostCpuCount);
  return {
    facts,
    topology,
    accelerators: acceleratorsOf(facts, options),
    capacity: capacityOf(facts, topology, await usableDiskBytes(options.disksFolder), options.limits),
  };
}
