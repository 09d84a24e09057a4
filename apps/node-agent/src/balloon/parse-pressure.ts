import { DomainError, KIB } from '@kvorum/schema';
import type { HostPressure } from './host-pressure.js';

/** Of /proc/pressure/memory (Documentation/accounting/psi.rst). Null: not in the form that the kernel documents. */
export function parseStalls(text: string): HostPressure['stallPercent'] {
  const averageOf = (kind: 'some' | 'full'): number =>
    Number(new RegExp(`^${kind} avg10=(\\d{1,3}(?:\\.\\d+)?) `, 'm').exec(text)?.[1] ?? Number.NaN);
  const [some, full] = [averageOf('some'), averageOf('full')];
  return Number.isNaN(some) || Number.isNaN(full) ? null : { some, full };
}

/** Of /proc/meminfo (proc_meminfo(5)), where "kB" means KiB. Throws `host_fault` when a line is missing. */
export function parseAvailable(text: string): Pick<HostPressure, 'totalBytes' | 'availableBytes'> {
  const bytesOf = (name: string): number => {
    const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text);
    if (match === null) throw new DomainError('host_fault', `/proc/meminfo has no ${name}`);
    return Number(match[1]) * KIB;
  };
  return { totalBytes: bytesOf('MemTotal'), availableBytes: bytesOf('MemAvailable') };
}
