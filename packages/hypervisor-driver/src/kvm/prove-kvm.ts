import type { HostFacts, KvmVerdict } from '@kvorum/schema';
import { KVM_NUMBERS } from '../sys/kvm-abi.js';
import { type KvmProbeResult, probeKvm } from './probe-kvm.js';
import { runTestGuest, type TestGuestResult } from './run-test-guest.js';
import { runRefusal } from './test-guest-plan.js';

export type KvmFacts = HostFacts['kvm'];

/** The CPU flags that hardware virtualisation shows up as: Intel VT-x and AMD-V (arch/x86/include/asm/cpufeatures.h). */
export const VIRTUALISATION_FLAGS = ['vmx', 'svm'] as const;

/**
 * Whether this host truly runs guests on its hardware. Three things must hold together: the CPU shows VT-x or AMD-V,
 * /dev/kvm answers with the one stable API, and a guest made exactly the exits it had to. Takes about 100 ms.
 */
export async function proveKvm(cpuFlags: readonly string[]): Promise<KvmFacts> {
  // KVM_* numbers and the guest's code are x86-64's: asking another machine with them would mean something else there.
  if (process.arch !== 'x64')
    return judgeKvm(cpuFlags, { kind: 'failed', reason: `not x86-64: ${process.arch}` }, null);
  const probe = probeKvm();
  const guest = probe.kind === 'answered' ? await runTestGuest() : null;
  return judgeKvm(cpuFlags, probe, guest);
}

/** The judgement alone, pure. `guest` is null when there was no device to run it on. */
export function judgeKvm(cpuFlags: readonly string[], probe: KvmProbeResult, guest: TestGuestResult | null): KvmFacts {
  const answered = probe.kind === 'answered' ? probe.probe : null;
  const { verdict, reason } = verdictOf(cpuFlags, probe, guest);
  return {
    apiVersion: answered?.apiVersion ?? null,
    extensions: { ...answered?.extensions },
    supportedCpuidEntryCount: answered?.supportedCpuidEntryCount ?? null,
    isProven: verdict === 'proven',
    verdict,
    reason,
  };
}

function verdictOf(
  cpuFlags: readonly string[],
  probe: KvmProbeResult,
  guest: TestGuestResult | null,
): { readonly verdict: KvmVerdict; readonly reason: string } {
  const hasFlag = VIRTUALISATION_FLAGS.some((flag) => cpuFlags.includes(flag));
  if (probe.kind === 'absent') {
    return hasFlag
      ? { verdict: 'disabled', reason: 'flags without /dev/kvm: disabled in firmware or module not loaded' }
      : { verdict: 'absent', reason: 'neither VT-x/AMD-V flags nor /dev/kvm' };
  }
  const refusal = deviceRefusal(probe, guest);
  if (refusal !== null) return { verdict: 'failed', reason: refusal };
  // The guest ran, but what ran it is software: it may be right for this one guest and wrong for the next.
  return hasFlag
    ? {
        verdict: 'proven',
        reason: 'the CPU has VT-x or AMD-V, /dev/kvm answers, and a test guest made its I/O and HLT exits',
      }
    : { verdict: 'software-nested', reason: '/dev/kvm without VT-x/AMD-V flags: software-nested, not trusted' };
}

function deviceRefusal(
  probe: Exclude<KvmProbeResult, { kind: 'absent' }>,
  guest: TestGuestResult | null,
): string | null {
  if (probe.kind === 'failed') return probe.reason;
  if (probe.probe.apiVersion !== KVM_NUMBERS.KVM_API_VERSION) {
    return `KVM API version ${probe.probe.apiVersion} instead of ${KVM_NUMBERS.KVM_API_VERSION}`;
  }
  if (guest === null) return 'no test guest was run';
  return guest.kind === 'failed' ? guest.reason : runRefusal(guest);
}
