import type { Accelerator, HostFacts } from '@kvorum/schema';

/** What VMs may run on here, the one to prefer first. Emulation only where the operator allowed it. */
export function acceleratorsOf(facts: HostFacts, allowEmulation: boolean): Accelerator[] {
  const offered: Accelerator[] = [];
  if (facts.kvm.isProven) offered.push('kvm');
  if (allowEmulation) offered.push('tcg');
  return offered;
}
