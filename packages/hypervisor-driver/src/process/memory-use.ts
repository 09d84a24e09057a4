import { readFile } from 'node:fs/promises';
import type { VmMemoryUse } from '../driver.js';

const KIB = 1024;
const MAPPING = /^[0-9a-f]+-[0-9a-f]+ /;
const FIELD = /^(\w+): +(\d+) kB$/;

/**
 * What a VM's process takes, from /proc/<pid>/smaps and status (Documentation/filesystems/proc.rst). The guest's memory is
 * the mappings as large as one of its backends: QEMU maps each in one piece, with flags that keep the kernel from merging
 * it with others. All else that is resident is overhead; of what processes share, each has its part (Pss). Page tables are
 * in neither and are added.
 */
export function memoryUseOf(smaps: string, status: string, backendBytes: readonly number[]): VmMemoryUse | null {
  const tables = /^VmPTE:\s+(\d+) kB$/m.exec(status)?.[1];
  if (tables === undefined) return null;
  const use = { guestBytes: 0, overheadBytes: Number(tables) * KIB };
  let isGuest = false;
  for (const line of smaps.split('\n')) {
    if (MAPPING.test(line)) isGuest = false;
    const field = FIELD.exec(line);
    if (field === null) continue;
    const bytes = Number(field[2]) * KIB;
    if (field[1] === 'Size') isGuest = backendBytes.includes(bytes);
    // Huge pages of hugetlbfs are in no Rss or Pss, but in these.
    else if (field[1] === 'Private_Hugetlb' || field[1] === 'Shared_Hugetlb') use.guestBytes += bytes;
    else if (field[1] === 'Pss') use[isGuest ? 'guestBytes' : 'overheadBytes'] += bytes;
  }
  return use;
}

/** Null: the process has ended, or is one we may not look into. Takes some ms per GiB the guest has in the host's memory. */
export async function readMemoryUse(pid: number, backendBytes: readonly number[]): Promise<VmMemoryUse | null> {
  try {
    const [smaps, status] = await Promise.all([readProc(pid, 'smaps'), readProc(pid, 'status')]);
    return memoryUseOf(smaps, status, backendBytes);
  } catch {
    return null;
  }
}

const readProc = (pid: number, name: string): Promise<string> => readFile(`/proc/${pid}/${name}`, 'utf8');
