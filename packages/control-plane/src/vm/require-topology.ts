import { DomainError, topologyRefusal, type VmHardware } from '@kvorum/schema';

/** Throws invalid_request when sockets, cores and threads are not as many vCPUs as it is to have. */
export function requireTopology({ cpu }: VmHardware, vcpuCount: number, at: string): void {
  const message = topologyRefusal(cpu.topology, vcpuCount);
  if (message === null) return;
  throw new DomainError('invalid_request', `the CPU topology does not fit the VM: ${message}`, {
    details: { fields: [{ field: `${at}.cpu.topology`, message }] },
  });
}
