import type { HypervisorDriver } from '@kvorum/hypervisor-driver';
import type { PressureSource } from '../balloon/host-pressure.js';
import type { AgentConfig } from '../config.js';
import type { AgentNetworks } from '../network/open-networks.js';
import type { StateFolders } from '../state/state-folders.js';
import { HostInventory } from './host-inventory.js';

/** Looks at the host for the first time, with what the operator keeps from VMs. */
export const openInventory = (
  config: AgentConfig,
  driver: HypervisorDriver,
  pressure: PressureSource,
  folders: StateFolders,
  networks: AgentNetworks | null,
): Promise<HostInventory> =>
  HostInventory.open({
    driver,
    disksFolder: folders.disks,
    allowEmulation: config.allowEmulation,
    trustSoftwareKvm: config.trustSoftwareKvm,
    pressure,
    probeNetworks: networks?.probe ?? null,
    limits: {
      vcpuCount: config.capacityVcpus,
      memoryBytes: config.capacityMemoryBytes,
      diskBytes: config.capacityDiskBytes,
      hostMemoryBytes: config.hostMemoryBytes,
    },
    hostCpuCount: config.hostCpus,
  });
