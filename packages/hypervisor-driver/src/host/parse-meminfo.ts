import { DomainError, KIB } from '@kvorum/schema';

/**
 * Total memory in bytes, of /proc/meminfo ("MemTotal: 8048412 kB") or of a node's meminfo ("Node 0 MemTotal: … kB").
 * "kB" means KiB there (proc_meminfo(5)). Throws `host_fault` when the line is missing.
 */
export function parseMemoryTotal(text: string): number {
  const match = /^(?:Node \d+ )?MemTotal:\s+(\d+) kB$/m.exec(text);
  if (match === null) throw new DomainError('host_fault', 'meminfo has no MemTotal');
  return Number(match[1]) * KIB;
}
