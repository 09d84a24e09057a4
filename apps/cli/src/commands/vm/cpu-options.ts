import type { Command } from 'commander';
import { given, parseTopology } from '../../option-values.js';

export interface CpuOptions {
  readonly cpuModel?: string;
  readonly cpuTopology?: ReturnType<typeof parseTopology>;
  readonly nestedVirtualisation?: boolean;
  readonly machineType?: string;
}

/** What processor and mainboard the guest sees. */
export const addCpuOptions = (command: Command): Command =>
  command
    .option('--cpu-model <model>', 'host, x86-64-v2, Haswell-v4, …; default: all that its host has')
    .option('--cpu-topology <sockets:cores:threads>', 'such as 2:4:1; default: one socket', parseTopology)
    .option('--nested-virtualisation', 'the guest may run KVM guests of its own')
    .option('--machine-type <type>', 'such as pc-q35-10.0; default: the newest of its first host');

/** The part of `hardware` that was asked for; undefined: nothing was, and the server knows the defaults. */
export function cpuHardwareOf(options: CpuOptions) {
  const { cpuModel: model, cpuTopology: topology, nestedVirtualisation, machineType } = options;
  const cpu = given({ model, topology, nestedVirtualisation });
  const said = given({ cpu: Object.keys(cpu).length === 0 ? undefined : cpu, machineType });
  return Object.keys(said).length === 0 ? undefined : said;
}
