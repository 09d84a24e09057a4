import { join } from 'node:path';
import type { HostHardware } from '@kvorum/schema';
import { formatCpuList, parseCpuList } from '../cpu/cpu-list.js';
import { numbersIn, readFact } from './sysfs.js';

type Core = HostHardware['cores'][number];

/**
 * The cores of this host, each with its SMT siblings, in the order of their first CPU
 * (Documentation/ABI/stable/sysfs-devices-system-cpu). CPUs that are offline have no topology and are left out.
 */
export async function readCores(sysfs: string): Promise<Core[]> {
  const folder = join(sysfs, 'devices/system/cpu');
  const read = (await numbersIn(folder, 'cpu')).map((cpu) => readCore(join(folder, `cpu${cpu}`, 'topology')));
  const byCpus = new Map<string, Core>();
  for (const core of await Promise.all(read)) {
    if (core !== null && !byCpus.has(core.cpus)) byCpus.set(core.cpus, core);
  }
  return [...byCpus.values()];
}

async function readCore(folder: string): Promise<Core | null> {
  const [siblings, socket, core] = await Promise.all(
    ['thread_siblings_list', 'physical_package_id', 'core_id'].map((name) => readFact(join(folder, name))),
  );
  if (siblings === null || siblings === undefined) return null;
  return { socketId: numberOf(socket), coreId: numberOf(core), cpus: formatCpuList(parseCpuList(siblings)) };
}

/** Machines without such an id say -1 (drivers/base/arch_topology.c); they have one socket then. */
const numberOf = (text: string | null | undefined): number => Math.max(0, Number.parseInt(text ?? '', 10) || 0);
