import type { CreateVmBody } from '@kvorum/client';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseByteSize } from '../../byte-size.js';
import { given, parseCount } from '../../option-values.js';

export interface PlacementOptions {
  readonly cpuPolicy?: 'shared' | 'dedicated';
  readonly smtPolicy?: 'prefer' | 'require' | 'isolate';
  readonly hugePages?: 2_097_152 | 1_073_741_824;
  readonly numaNodes?: number;
  readonly lockMemory?: true;
  readonly preallocate?: true;
}

type Hardware = NonNullable<CreateVmBody['hardware']>;

/** What of its host a VM has for itself. */
export const addPlacementOptions = (command: Command): Command =>
  command
    .addOption(
      new Option('--cpu-policy <policy>', 'dedicated: a host CPU of its own for each vCPU; default: shared').choices([
        'shared',
        'dedicated',
      ]),
    )
    .addOption(
      new Option(
        '--smt-policy <policy>',
        'of dedicated CPUs: both threads of a core where there are any (prefer, the default), only such cores (require), one vCPU per core (isolate)',
      ).choices(['prefer', 'require', 'isolate']),
    )
    .option('--huge-pages <size>', 'memory in huge pages of 2MiB or 1GiB', parseHugePages)
    .option('--numa-nodes <count>', 'NUMA nodes the guest sees, each on one of the host; default: 1', parseCount)
    .option('--lock-memory', 'memory that is never swapped out')
    .option('--preallocate', 'all memory taken from the host at the start');

/** Undefined: nothing was said of it, and the server knows the defaults. */
export function placementHardwareOf(options: PlacementOptions): Hardware | undefined {
  const cpuPolicy = given({ policy: options.cpuPolicy, smt: options.smtPolicy });
  const memory = given({
    hugePageBytes: options.hugePages,
    numaNodeCount: options.numaNodes,
    isLocked: options.lockMemory,
    isPreallocated: options.preallocate,
  });
  const isSaid = (part: object): boolean => Object.keys(part).length > 0;
  if (!isSaid(cpuPolicy) && !isSaid(memory)) return undefined;
  return given({ cpuPolicy: isSaid(cpuPolicy) ? cpuPolicy : undefined, memory: isSaid(memory) ? memory : undefined });
}

function parseHugePages(text: string): number {
  const bytes = parseByteSize(text);
  if (bytes === 2_097_152 || bytes === 1_073_741_824) return bytes;
  throw new InvalidArgumentError('Huge pages have 2MiB or 1GiB.');
}
