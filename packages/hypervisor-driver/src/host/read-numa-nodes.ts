import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostFacts } from '@kvorum/schema';
import { parseCpuList } from '../cpu/cpu-list.js';
import { parseCount, parseHugePageSize } from './parse-huge-pages.js';
import { parseMemoryTotal } from './parse-meminfo.js';
import { namesIn, numbersIn } from './sysfs.js';

type NumaNode = HostFacts['numaNodes'][number];

export const NODE_FOLDER = '/sys/devices/system/node';

/** The NUMA nodes of this host, ascending by id. Empty where the kernel has no NUMA support. */
export async function readNumaNodes(folder = NODE_FOLDER): Promise<NumaNode[]> {
  const ids = await numbersIn(folder, 'node');
  return Promise.all(ids.map((id) => readNode(join(folder, `node${id}`), id)));
}

async function readNode(folder: string, id: number): Promise<NumaNode> {
  const [cpulist, meminfo, hugePages] = await Promise.all([
    readFile(join(folder, 'cpulist'), 'utf8'),
    readFile(join(folder, 'meminfo'), 'utf8'),
    readHugePages(join(folder, 'hugepages')),
  ]);
  return { id, cpus: parseCpuList(cpulist), memoryBytes: parseMemoryTotal(meminfo), hugePages };
}

async function readHugePages(folder: string): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of await namesIn(folder)) {
    const sizeKib = parseHugePageSize(name);
    if (sizeKib === null) continue;
    const count = parseCount(await readFile(join(folder, name, 'nr_hugepages'), 'utf8'));
    if (count !== null) counts[sizeKib] = count;
  }
  return counts;
}
