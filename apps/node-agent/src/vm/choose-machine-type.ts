import { DomainError } from '@kvorum/schema';
import type { VmHost } from './vm-host.js';
import type { VmRecord } from './vm-record.js';

/**
 * Kept from the first start: QEMU may be upgraded in between, and a guest must not find itself on another mainboard. Throws
 * `host_fault` where there is no QEMU to name one.
 */
export function machineTypeOf(record: VmRecord, host: VmHost): string {
  const machineType = record.machineType ?? host.newestMachineType();
  if (machineType === null) throw new DomainError('host_fault', 'this host has no QEMU that names its machine types');
  return machineType;
}
