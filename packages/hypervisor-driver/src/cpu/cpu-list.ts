import { DomainError } from '@kvorum/schema';

/** CONFIG_NR_CPUS's ceiling on x86: a list naming a higher CPU is damaged. */
export const CPU_INDEX_MAX = 8191;

const RANGE = /^(\d{1,5})(?:-(\d{1,5}))?$/;

/**
 * Reads the kernel's list format, as in /sys/devices/system/node/node0/cpulist: "0-3,8,10-11". An empty list is a node
 * without CPUs. Throws `host_fault` for anything else.
 */
export function parseCpuList(text: string): number[] {
  const trimmed = text.trim();
  if (trimmed === '') return [];
  const cpus = new Set<number>();
  for (const part of trimmed.split(',')) {
    const match = RANGE.exec(part);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (match === null || last < first || last > CPU_INDEX_MAX) {
      throw new DomainError('host_fault', `not a CPU list: ${JSON.stringify(text.slice(0, 80))}`);
    }
    for (let cpu = first; cpu <= last; cpu++) cpus.add(cpu);
  }
  return [...cpus].sort((a, b) => a - b);
}

/** The inverse: shortest list, ascending. */
export function formatCpuList(cpus: readonly number[]): string {
  const sorted = [...new Set(cpus)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let index = 0; index < sorted.length; ) {
    const first = sorted[index] as number;
    let last = first;
    while (sorted[index + 1] === last + 1) {
      last += 1;
      index += 1;
    }
    index += 1;
    parts.push(first === last ? `${first}` : `${first}-${last}`);
  }
  return parts.join(',');
}
