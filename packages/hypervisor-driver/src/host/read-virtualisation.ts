import { join } from 'node:path';
import type { HostHardware } from '@kvorum/schema';
import { parseSwitch } from './parse-hardware.js';
import { namesIn, readFact } from './sysfs.js';

type Virtualisation = HostHardware['virtualisation'];

/** The vendors' KVM modules with what their parameter for nested paging is called (arch/x86/kvm/{vmx/vmx,svm/svm}.c). */
const VENDOR_MODULES = [
  { module: 'kvm_intel', nestedPagingParameter: 'ept' },
  { module: 'kvm_amd', nestedPagingParameter: 'npt' },
] as const;

/** Built-in modules are listed in /sys/module too, as soon as they have a parameter, which these have. */
export async function readVirtualisation(sysfs: string, cpuFlags: readonly string[]): Promise<Virtualisation> {
  const modules = (await namesIn(join(sysfs, 'module'))).filter((name) => name.startsWith('kvm_')).sort();
  const vendor = VENDOR_MODULES.find(({ module }) => modules.includes(module));
  const parameter = (name: string): Promise<string | null> =>
    vendor === undefined ? Promise.resolve(null) : readFact(join(sysfs, 'module', vendor.module, 'parameters', name));
  return {
    technology: cpuFlags.includes('vmx') ? 'vt-x' : cpuFlags.includes('svm') ? 'amd-v' : null,
    nestedPaging: cpuFlags.includes('ept') ? 'ept' : cpuFlags.includes('npt') ? 'npt' : null,
    isNestedPagingOn: parseSwitch(await parameter(vendor?.nestedPagingParameter ?? '')),
    isNestingOn: parseSwitch(await parameter('nested')),
    modules,
    isGuest: cpuFlags.includes('hypervisor'),
  };
}
