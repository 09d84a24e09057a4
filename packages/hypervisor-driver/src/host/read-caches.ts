import { join } from 'node:path';
import type { HostHardware } from '@kvorum/schema';
import { formatCpuList, parseCpuList } from '../cpu/cpu-list.js';
import { parseCacheSize, parseCacheType } from './parse-hardware.js';
import { numbersIn, readFact } from './sysfs.js';

type Cache = HostHardware['caches'][number];
interface OneCache extends Omit<Cache, 'sharedBy'> {
  readonly cpus: string;
}

/** The caches of this host, alike ones together, by level and type. Hosts that hide them (some guests) have none. */
export async function readCaches(sysfs: string): Promise<Cache[]> {
  const folder = join(sysfs, 'devices/system/cpu');
  const read = (await numbersIn(folder, 'cpu')).map(async (cpu) => {
    const caches = join(folder, `cpu${cpu}`, 'cache');
    const indexes = await numbersIn(caches, 'index');
    return Promise.all(indexes.map((index) => readCache(join(caches, `index${index}`))));
  });
  const groups = new Map<string, Cache>();
  for (const cache of (await Promise.all(read)).flat()) {
    if (cache === null) continue;
    const { cpus, ...kind } = cache;
    const key = JSON.stringify(kind);
    const group = groups.get(key) ?? { ...kind, sharedBy: [] };
    groups.set(key, group);
    // Each CPU names the same cache again.
    if (!group.sharedBy.includes(cpus)) group.sharedBy.push(cpus);
  }
  return [...groups.values()].sort((a, b) => a.level - b.level || a.type.localeCompare(b.type));
}

async function readCache(folder: string): Promise<OneCache | null> {
  const [level, type, size, shared] = await Promise.all([
    readFact(join(folder, 'level')),
    readFact(join(folder, 'type')),
    readFact(join(folder, 'size')),
    readFact(join(folder, 'shared_cpu_list')),
  ]);
  const parsedType = parseCacheType(type ?? '');
  const sizeBytes = parseCacheSize(size ?? '');
  if (level === null || parsedType === null || sizeBytes === null || shared === null) return null;
  return { level: Number(level), type: parsedType, sizeBytes, cpus: formatCpuList(parseCpuList(shared)) };
}
