import { join } from 'node:path';
import type { HostHardware } from '@kvorum/schema';
import type { CpuInfo } from './parse-cpuinfo.js';
import { parseDistances } from './parse-hardware.js';
import { readCaches } from './read-caches.js';
import { readCores } from './read-cores.js';
import { readVirtualisation } from './read-virtualisation.js';
import { namesIn, numbersIn, readFact, SYSFS } from './sysfs.js';

/** The machine below the operating system, as sysfs and cpuinfo show it. */
export async function readHardware(cpuinfo: CpuInfo, sysfs = SYSFS): Promise<HostHardware> {
  const [virtualisation, units, groups, cores, caches, numaDistances] = await Promise.all([
    readVirtualisation(sysfs, cpuinfo.flags),
    namesIn(join(sysfs, 'class/iommu')),
    namesIn(join(sysfs, 'kernel/iommu_groups')),
    readCores(sysfs),
    readCaches(sysfs),
    readDistances(join(sysfs, 'devices/system/node')),
  ]);
  const iommu = { units: units.sort(), groupCount: groups.length };
  return { virtualisation, iommu, microcode: cpuinfo.microcode, cores, caches, numaDistances };
}

/** A row per node, ascending; none where a row is missing, as half a matrix would be read in the wrong order. */
async function readDistances(folder: string): Promise<number[][]> {
  const nodes = await numbersIn(folder, 'node');
  const rows = await Promise.all(nodes.map((node) => readFact(join(folder, `node${node}`, 'distance'))));
  const parsed = rows.map((row) => parseDistances(row ?? ''));
  return parsed.every((row): row is number[] => row?.length === nodes.length) ? parsed : [];
}
