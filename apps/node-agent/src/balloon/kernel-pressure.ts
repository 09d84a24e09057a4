import { readFile } from 'node:fs/promises';
import { DomainError, type HostFacts } from '@kvorum/schema';
import type { HostPressure, PressureSource } from './host-pressure.js';
import { parseAvailable, parseStalls } from './parse-pressure.js';

const STALLS_PATH = '/proc/pressure/memory';
const MEMINFO_PATH = '/proc/meminfo';

/** What the kernel says of this host's memory. Without PSI (CONFIG_PSI off, or psi=0) available memory alone is judged. */
export class KernelPressure implements PressureSource {
  async read(): Promise<HostPressure> {
    try {
      const [meminfo, stallPercent] = await Promise.all([readFile(MEMINFO_PATH, 'utf8'), readStalls()]);
      return { ...parseAvailable(meminfo), stallPercent };
    } catch (cause) {
      if (cause instanceof DomainError) throw cause;
      throw new DomainError('host_fault', `the host's memory cannot be read: ${(cause as Error).message}`, { cause });
    }
  }
}

/** ENOENT: the kernel was built without it; EOPNOTSUPP: it is switched off. */
const readStalls = (): Promise<HostPressure['stallPercent']> =>
  readFile(STALLS_PATH, 'utf8').then(parseStalls, () => null);

/** What an operator is told of it. */
export function pressureFinding(pressure: HostPressure): HostFacts['findings'][number] {
  const hasStalls = pressure.stallPercent !== null;
  return {
    name: 'memory-pressure',
    value: hasStalls ? 'stalls and available memory' : 'available memory alone',
    evidence: hasStalls ? `${STALLS_PATH}, MemAvailable of ${MEMINFO_PATH}` : `${STALLS_PATH} does not answer`,
    remedy: hasStalls
      ? null
      : 'Balloons are moved by available memory alone. For stalls as well, boot a kernel with CONFIG_PSI and psi=1.',
  };
}
