import type { CpuPlacement } from '../driver.js';
import { CPU_INDEX_MAX } from './cpu-list.js';

/** Why a VM of so many vCPUs cannot have these CPUs, or null. */
export function pinningRefusal(vcpuCount: number, { vcpuCpus, otherCpus }: CpuPlacement): string | null {
  const wrong = [...vcpuCpus, ...otherCpus].find((cpu) => !Number.isInteger(cpu) || cpu < 0 || cpu > CPU_INDEX_MAX);
  if (wrong !== undefined) return `names CPU ${wrong}, which is not within 0 to ${CPU_INDEX_MAX}`;
  if (vcpuCpus.length === 0) return null;
  if (vcpuCpus.length !== vcpuCount) {
    return `${vcpuCpus.length} CPUs for ${vcpuCount} vCPUs: pinning is one to one`;
  }
  if (new Set(vcpuCpus).size !== vcpuCpus.length) return 'a host CPU is named twice';
  if (otherCpus.length === 0) return 'other threads need a CPU that is not one of the vCPUs';
  const shared = otherCpus.find((cpu) => vcpuCpus.includes(cpu));
  return shared === undefined ? null : `CPU ${shared} is given to a vCPU and to other threads`;
}
