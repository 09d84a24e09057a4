import type { FactsFound, Finding } from './finding.js';
import { hardwareFindings } from './hardware-findings.js';
import { qemuMajor } from './parse-qemu-version.js';
import { virtualisationFindings } from './virtualisation-findings.js';

/** Below 10, pre-copy migration of emulated guests corrupts their memory while QMP reports success (measured on 7.2). */
export const QEMU_MAJOR_MIN = 10;

/** What an operator should know of the host, each with what it rests on and, where there is one, the remedy. Pure. */
export const deriveFindings = (facts: FactsFound): Finding[] => [
  ...virtualisationFindings(facts),
  qemuFinding(facts),
  ...hardwareFindings(facts),
];

function qemuFinding({ qemuVersion: version, qemuMachineType }: FactsFound): Finding {
  const isRecent = version !== null && qemuMajor(version) >= QEMU_MAJOR_MIN;
  return {
    name: 'qemu',
    value: version === null ? 'absent' : `${version}${qemuMachineType === null ? '' : ` (${qemuMachineType})`}`,
    evidence: 'qemu-system-x86_64 --version; -machine help',
    remedy: isRecent
      ? null
      : `Install QEMU ${QEMU_MAJOR_MIN} or newer: older ones can corrupt emulated guests in live migration.`,
  };
}
