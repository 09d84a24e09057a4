import { DomainError } from '@kvorum/schema';
import type { VmHost } from './vm-host.js';
import type { VmRecord } from './vm-record.js';

/**
 * What the VM asks for, else what it has had since its first start: QEMU may be upgraded in between, and a guest must not
 * find itself on another mainboard. Throws `host_fault` where there is no QEMU to name one, `conflict_state` where QEMU does
 * not have that one.
 */
export function machineTypeOf(record: VmRecord, host: VmHost): string {
  const machineType = record.spec?.hardware.machineType ?? record.machineType ?? host.newestMachineType();
  if (machineType === null) throw new DomainError('host_fault', 'this host has no QEMU that names its machine types');
  const offered = host.machineTypes();
  if (!offered.includes(machineType)) {
    const known = offered.join(', ') || 'none';
    throw new DomainError('conflict_state', `the QEMU of this host does not have the machine type ${machineType}`, {
      details: { fields: [{ field: 'hardware.machineType', message: `this host has: ${known}` }] },
    });
  }
  return machineType;
}
