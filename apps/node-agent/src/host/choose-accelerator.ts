import type { Accelerator, HostFacts } from '@kvorum/schema';

/** What the operator allowed beyond proven hardware. */
export interface HostTrust {
  readonly allowEmulation: boolean;
  readonly trustSoftwareKvm: boolean;
}

/**
 * What VMs may run on here, the one to prefer first. Emulation only where the operator allowed it; KVM without hardware only
 * where they insist, and then only if the test guest ran.
 */
export function acceleratorsOf(facts: HostFacts, trust: HostTrust): Accelerator[] {
  const offered: Accelerator[] = [];
  if (facts.kvm.isProven || isTrustedSoftware(facts, trust)) offered.push('kvm');
  if (trust.allowEmulation) offered.push('tcg');
  return offered;
}

const isTrustedSoftware = (facts: HostFacts, trust: HostTrust): boolean =>
  trust.trustSoftwareKvm && facts.kvm.verdict === 'software-nested';

/** The facts as the operator's choice makes them: whoever looks at the host later has to see that choice. */
export function factsUnderTrust(facts: HostFacts, trust: HostTrust): HostFacts {
  if (!isTrustedSoftware(facts, trust)) return facts;
  const finding = {
    name: 'software-kvm',
    value: 'trusted',
    evidence: `the agent runs with --trust-software-kvm; ${facts.kvm.reason}`,
    remedy:
      'Guests here depend on software where others have hardware: start the agent without the flag to offer none.',
  };
  return { ...facts, findings: [...facts.findings, finding] };
}
