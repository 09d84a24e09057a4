import type { HostFacts } from '@kvorum/schema';
import { VIRTUALISATION_FLAGS } from '../kvm/prove-kvm.js';
import { qemuMajor } from './parse-qemu-version.js';

type Finding = HostFacts['findings'][number];

/** Below 10, pre-copy migration of emulated guests corrupts their memory while QMP reports success (measured on 7.2). */
export const QEMU_MAJOR_MIN = 10;

/** What an operator should know of the host, each with what it rests on and, where there is one, the remedy. Pure. */
export function deriveFindings(facts: Omit<HostFacts, 'findings'>): Finding[] {
  return [virtualisationFlags(facts), kvm(facts), qemu(facts), hugePages(facts), numa(facts)];
}

function virtualisationFlags(facts: Omit<HostFacts, 'findings'>): Finding {
  const present = VIRTUALISATION_FLAGS.filter((flag) => facts.cpuFlags.includes(flag));
  const isGuest = facts.cpuFlags.includes('hypervisor');
  return {
    name: 'cpu-virtualisation',
    value: present.length === 0 ? 'absent' : present.join(', '),
    evidence: `/proc/cpuinfo flags: ${facts.cpuFlags.join(' ') || 'none about virtualisation'}`,
    remedy: flagRemedy(present.length > 0, isGuest),
  };
}

function flagRemedy(hasFlag: boolean, isGuest: boolean): string | null {
  if (hasFlag) return null;
  return isGuest
    ? 'This host is itself a guest: turn on nested virtualisation for it, or use bare metal.'
    : 'Turn on VT-x or AMD-V (SVM) in the firmware.';
}

function kvm(facts: Omit<HostFacts, 'findings'>): Finding {
  return {
    name: 'kvm',
    value: facts.kvm.isProven ? 'proven' : 'not proven',
    evidence: facts.kvm.reason,
    remedy: facts.kvm.isProven
      ? null
      : 'VMs run here by emulation only, 10 to 50 times slower, and only where the operator allows it. ' +
        'Check the firmware, `modprobe kvm_intel` or `modprobe kvm_amd`, and the rights on /dev/kvm.',
  };
}

function qemu(facts: Omit<HostFacts, 'findings'>): Finding {
  const version = facts.qemuVersion;
  const isRecent = version !== null && qemuMajor(version) >= QEMU_MAJOR_MIN;
  return {
    name: 'qemu',
    value: version ?? 'absent',
    evidence: 'qemu-system-x86_64 --version',
    remedy: isRecent
      ? null
      : `Install QEMU ${QEMU_MAJOR_MIN} or newer: older ones can corrupt emulated guests in live migration.`,
  };
}

function hugePages(facts: Omit<HostFacts, 'findings'>): Finding {
  const perSize = new Map<string, number>();
  for (const node of facts.numaNodes) {
    for (const [sizeKib, count] of Object.entries(node.hugePages)) {
      perSize.set(sizeKib, (perSize.get(sizeKib) ?? 0) + count);
    }
  }
  const reserved = [...perSize].filter(([, count]) => count > 0).map(([sizeKib, count]) => `${count} x ${sizeKib} KiB`);
  return {
    name: 'huge-pages',
    value: reserved.length === 0 ? 'none reserved' : reserved.join(', '),
    evidence: '/sys/devices/system/node/node*/hugepages/*/nr_hugepages',
    remedy: null,
  };
}

function numa(facts: Omit<HostFacts, 'findings'>): Finding {
  return {
    name: 'numa',
    value: `${facts.numaNodes.length} node${facts.numaNodes.length === 1 ? '' : 's'}`,
    evidence: '/sys/devices/system/node/node*/{cpulist,meminfo}',
    remedy: null,
  };
}
