import { type Amounts, NO_AMOUNTS } from '@kvorum/scheduler';
import {
  type CreateVmRequest,
  DomainError,
  dedicatedCpuCount,
  type Flavor,
  GIB,
  layoutRefusals,
  MIB,
  ordinaryMemoryBytes,
  VCPU_OVERCOMMIT_RATIO,
  type VmHardware,
  type VmSize,
} from '@kvorum/schema';
import { requireTopology } from './require-topology.js';

/**
 * What a VM takes of a host without SMT: what its guest is promised, and what the hypervisor needs for it. On a host with SMT
 * the policies `require` and `isolate` take more CPUs, which `reserve` counts by the host's own row.
 */
export function amountsOfVm(
  { accelerator, hardware }: Pick<CreateVmRequest, 'accelerator' | 'hardware'>,
  { vcpuCount, memoryBytes }: Pick<Flavor, 'vcpuCount' | 'memoryBytes'>,
  diskBytes: number,
): Amounts {
  const vm = { vcpuCount, memoryBytes, hardware, accelerator: accelerator ?? null };
  const ownCpuCount = dedicatedCpuCount(vm, 1);
  const { hugePageBytes } = hardware.memory;
  return {
    ...NO_AMOUNTS,
    vcpuCount: ownCpuCount === 0 ? vcpuCount : ownCpuCount * VCPU_OVERCOMMIT_RATIO,
    memoryBytes: ordinaryMemoryBytes(vm),
    diskBytes,
    dedicatedCpuCount: ownCpuCount,
    hugePages2MibBytes: hugePageBytes === 2 * MIB ? memoryBytes : 0,
    hugePages1GibBytes: hugePageBytes === GIB ? memoryBytes : 0,
  };
}

/** Throws `invalid_request` that names each field which does not go with the size of the flavor. */
export function requireLayout(vm: VmSize & { readonly hardware: VmHardware }, at = 'body.hardware'): void {
  requireTopology(vm.hardware, vm.vcpuCount, at);
  const fields = layoutRefusals(vm).map(({ field, message }) => ({ field: `${at}.${field}`, message }));
  const [first] = fields;
  if (first === undefined) return;
  throw new DomainError('invalid_request', `${first.field} ${first.message}`, { details: { fields } });
}
