import type { LaunchSpec } from '../../driver.js';
import { options, pairs } from '../option-string.js';

/** The processor a guest sees: its model, and how its vCPUs form sockets, cores and threads. */
export const cpuArguments = (launch: LaunchSpec): string[] => ['-cpu', model(launch), '-smp', topology(launch)];

function model({ accelerator }: LaunchSpec): string {
  if (accelerator === 'kvm') return 'host';
  // la57 off: five-level paging makes every emulated page walk a fifth longer, for address space nobody has.
  return options('max', { la57: 'off' });
}

const topology = ({ vcpuCount }: LaunchSpec): string =>
  pairs({ cpus: vcpuCount, sockets: 1, cores: vcpuCount, threads: 1 }).join(',');
