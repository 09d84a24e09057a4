import type { HostFacts } from '@kvorum/schema';
import { KVM_NUMBERS } from '../sys/kvm-abi.js';
import { type KvmProbeResult, probeKvm } from './probe-kvm.js';
import { runTestGuest, type TestGuestResult } from './run-test-guest.js';
import { exitsRefusal } from './test-guest-plan.js';

export type KvmFacts = HostFacts['kvm'];

/** The CPU flags that hardware virtualisation shows up as: Intel VT-x and AMD-V (arch/x86/include/asm/cpufeatures.h). */
export const VIRTUALISATION_FLAGS = ['vmx', 'svm'] as const;

/**
 * Whether this host truly runs guests on its hardware. Three things must hold together: the CPU shows VT-x or AMD-V,
 * /dev/kvm answers with the one stable API, and a guest made exactly the exits it had to. Takes about 100 ms.
 */
export async function proveKvm(cpuFlags: readonly string[]): Promise<KvmFacts> {
  const probe = probeKvm();
  const guest = probe.kind === 'answered' ? await runTestGuest() : null;
  return judgeKvm(cpuFlags, probe, guest);
}

/** The judgement alone, pure. `guest` is null when there was no device to run it on. */
export function judgeKvm(cpuFlags: readonly string[], probe: KvmProbeResult, guest: TestGuestResult | null): KvmFacts {
  const answered = probe.kind === 'answered' ? probe.probe : null;
  const refusal = refusalOf(cpuFlags, probe, guest);
  return {
    apiVersion: answered?.apiVersion ?? null,
    extensions: { ...answered?.extensions },
    supportedCpuidEntryCount: answered?.supportedCpuidEntryCount ?? null,
    isProven: refusal === null,
    reason: refusal ?? 'the CPU has VT-x or AMD-V, /dev/kvm answers, and a test guest made its I/O and HLT exits',
  };
}

function refusalOf(cpuFlags: readonly string[], probe: KvmProbeResult, guest: TestGuestResult | null): string | null {
  const hasFlag = VIRTUALISATION_FLAGS.some((flag) => cpuFlags.includes(flag));
  if (probe.kind === 'absent') {
    return hasFlag
      ? 'flags without /dev/kvm: disabled in firmware or module not loaded'
      : 'neither VT-x/AMD-V flags nor /dev/kvm';
  }
  if (probe.kind === 'failed') return probe.reason;
  if (!hasFlag) return '/dev/kvm without VT-x/AMD-V flags: software-nested, not trusted';
  if (probe.probe.apiVersion !== KVM_NUMBERS.KVM_API_VERSION) {
    return `KVM API version ${probe.probe.apiVersion} instead of ${KVM_NUMBERS.KVM_API_VERSION}`;
  }
  if (guest === null) return 'no test guest was run';
  if (guest.kind === 'failed') return guest.reason;
  return exitsRefusal(guest.exits);
}
