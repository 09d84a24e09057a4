import type { KvmVerdict } from '@kvorum/schema';
import { VIRTUALISATION_FLAGS } from '../kvm/prove-kvm.js';
import type { FactsFound, Finding } from './finding.js';

/** What the hardware and the kernel offer to run guests with, from the processor up to the proof. Pure. */
export const virtualisationFindings = (facts: FactsFound): Finding[] => [
  flagsFinding(facts),
  nestedPagingFinding(facts),
  modulesFinding(facts),
  kvmFinding(facts),
  nestingFinding(facts),
  iommuFinding(facts),
];

const hasFlag = (facts: FactsFound): boolean => facts.hardware.virtualisation.technology !== null;
const isIntel = (facts: FactsFound): boolean => facts.cpuVendor === 'GenuineIntel';
/** The module that serves this vendor's processors. */
const moduleOf = (facts: FactsFound): string => (isIntel(facts) ? 'kvm_intel' : 'kvm_amd');

const TECHNOLOGY_NAMES = { 'vt-x': 'VT-x', 'amd-v': 'AMD-V' } as const;

function flagsFinding(facts: FactsFound): Finding {
  const { technology, isGuest } = facts.hardware.virtualisation;
  const present = VIRTUALISATION_FLAGS.filter((flag) => facts.cpuFlags.includes(flag));
  return {
    name: 'cpu-virtualisation',
    value: technology === null ? 'absent' : `${TECHNOLOGY_NAMES[technology]} (${present.join(', ')})`,
    evidence: `/proc/cpuinfo: ${facts.cpuVendor}; flags: ${facts.cpuFlags.join(' ') || 'none about virtualisation'}`,
    remedy: technology === null ? flagsRemedy(isGuest) : null,
  };
}

const flagsRemedy = (isGuest: boolean): string =>
  isGuest
    ? 'This host is itself a guest: turn on nested virtualisation for it, or use bare metal.'
    : 'Turn on VT-x or AMD-V (SVM) in the firmware.';

/** Without it the hypervisor keeps shadow page tables: correct, but each change of the guest's own tables is an exit. */
function nestedPagingFinding(facts: FactsFound): Finding {
  const { nestedPaging, isNestedPagingOn } = facts.hardware.virtualisation;
  const name = isIntel(facts) ? 'ept' : 'npt';
  const parameter = `/sys/module/${moduleOf(facts)}/parameters/${name}`;
  return {
    name: 'nested-paging',
    value: nestedPaging === null ? 'absent' : `${nestedPaging.toUpperCase()}${switchText(isNestedPagingOn)}`,
    evidence: `/proc/cpuinfo flag ${name}; ${parameter}: ${parameterText(isNestedPagingOn)}`,
    remedy: nestedPagingRemedy(facts, name),
  };
}

function nestedPagingRemedy(facts: FactsFound, name: string): string | null {
  const { nestedPaging, isNestedPagingOn } = facts.hardware.virtualisation;
  // Without the flags this is not the host's first trouble, and has no remedy of its own.
  if (!hasFlag(facts)) return null;
  if (nestedPaging === null) return `Guests run, but change memory slowly: use a processor with ${name.toUpperCase()}.`;
  return isNestedPagingOn === false
    ? `Load the module with it: \`modprobe -r ${moduleOf(facts)} && modprobe ${moduleOf(facts)} ${name}=1\`.`
    : null;
}

const switchText = (isOn: boolean | null): string => (isOn === null ? '' : isOn ? ', on' : ', off');
const parameterText = (isOn: boolean | null): string => (isOn === null ? 'not told' : isOn ? 'on' : 'off');

function modulesFinding(facts: FactsFound): Finding {
  const { modules } = facts.hardware.virtualisation;
  const isMissing = hasFlag(facts) && !modules.includes(moduleOf(facts));
  return {
    name: 'kvm-modules',
    value: modules.join(', ') || 'none',
    evidence: '/sys/module/kvm_*',
    remedy: isMissing
      ? `\`modprobe ${moduleOf(facts)}\`; if it is refused, \`dmesg\` says why (mostly: disabled in firmware).`
      : null,
  };
}

function kvmFinding(facts: FactsFound): Finding {
  const { verdict, reason, isProven } = facts.kvm;
  return {
    name: 'kvm',
    value: verdict ?? (isProven ? 'proven' : 'failed'),
    evidence: reason,
    remedy: verdict === null ? null : kvmRemedy(verdict, facts),
  };
}

const EMULATION = 'Until then VMs run here by emulation only, 10 to 50 times slower, where the operator allows it.';

function kvmRemedy(verdict: KvmVerdict, facts: FactsFound): string | null {
  const remedies: Record<KvmVerdict, string | null> = {
    proven: null,
    disabled: `Turn on VT-x or AMD-V (SVM) in the firmware, then \`modprobe ${moduleOf(facts)}\`. ${EMULATION}`,
    absent: `${flagsRemedy(facts.hardware.virtualisation.isGuest)} ${EMULATION}`,
    failed: `Look at \`dmesg\`, and at the rights on /dev/kvm (root, or a member of its group). ${EMULATION}`,
    'software-nested':
      'Use bare metal, or turn on nested virtualisation below this host. Who trusts this software with guests all the ' +
      'same starts the agent with --trust-software-kvm.',
  };
  return remedies[verdict];
}

function nestingFinding(facts: FactsFound): Finding {
  const { isNestingOn } = facts.hardware.virtualisation;
  return {
    name: 'nested-virtualisation',
    value: isNestingOn === null ? 'not known' : isNestingOn ? 'possible' : 'off',
    evidence: `/sys/module/${moduleOf(facts)}/parameters/nested: ${parameterText(isNestingOn)}`,
    remedy:
      isNestingOn === false
        ? `Only if guests are to run guests of their own: \`modprobe ${moduleOf(facts)} nested=1\`.`
        : null,
  };
}

function iommuFinding(facts: FactsFound): Finding {
  const { units, groupCount } = facts.hardware.iommu;
  const isOn = groupCount > 0;
  return {
    name: 'iommu',
    value: isOn ? `on: ${units.length} units, ${groupCount} groups` : 'off',
    evidence: '/sys/class/iommu, /sys/kernel/iommu_groups',
    remedy: isOn
      ? null
      : 'Only for handing devices to guests: turn on VT-d or AMD-Vi in the firmware' +
        `${isIntel(facts) ? ' and boot with intel_iommu=on' : ''}.`,
  };
}
