import type { QuotaBody } from '@kvorum/client';
import type { Command } from 'commander';
import { parseByteSize } from '../../byte-size.js';
import { parseCount } from '../../option-values.js';

export interface QuotaOptions {
  readonly vms: number;
  readonly vcpus: number;
  readonly memory: number;
  readonly disk: number;
}

export const addQuotaOptions = (command: Command): Command =>
  command
    .requiredOption('--vms <count>', 'how many VMs it may have', parseCount)
    .requiredOption('--vcpus <count>', 'how many virtual CPUs in all', parseCount)
    .requiredOption('--memory <size>', 'how much memory in all, such as 64GiB', parseByteSize)
    .requiredOption('--disk <size>', 'how much disk in all, such as 2TiB', parseByteSize);

export const quotaOf = ({ vms, vcpus, memory, disk }: QuotaOptions): QuotaBody => ({
  vmCount: vms,
  vcpuCount: vcpus,
  memoryBytes: memory,
  diskBytes: disk,
});
