import type { HostFacts } from '@kvorum/schema';
import { Accelerator, type HostFacts as WireHostFacts } from '@kvorum/schema/agent-wire';
import { toWireHardware } from './hardware-wire.js';

/** protobuf has no null: an absent text is empty, an absent number 0, as facts.proto says. */
export function toWireFacts(facts: HostFacts): WireHostFacts {
  return {
    ...facts,
    qemuVersion: facts.qemuVersion ?? '',
    qemuMachineType: facts.qemuMachineType ?? '',
    cpu: facts.cpu.map((support) => ({ ...support, accelerator: toWireAccelerator(support.accelerator) })),
    kvm: {
      ...facts.kvm,
      verdict: facts.kvm.verdict ?? '',
      apiVersion: facts.kvm.apiVersion ?? 0,
      supportedCpuidEntryCount: facts.kvm.supportedCpuidEntryCount ?? 0,
    },
    firmware: facts.firmware ?? undefined,
    hardware: facts.hardware === null ? undefined : toWireHardware(facts.hardware),
    networking:
      facts.networking === null
        ? undefined
        : {
            ...facts.networking,
            overlayAddress: facts.networking.overlayAddress ?? '',
            floatingInterface: facts.networking.floatingInterface ?? '',
          },
    findings: facts.findings.map((finding) => ({ ...finding, remedy: finding.remedy ?? '' })),
  };
}

export function toWireAccelerator(accelerator: 'kvm' | 'tcg' | null | undefined): Accelerator {
  if (accelerator === 'kvm') return Accelerator.ACCELERATOR_KVM;
  if (accelerator === 'tcg') return Accelerator.ACCELERATOR_TCG;
  return Accelerator.ACCELERATOR_UNSPECIFIED;
}
