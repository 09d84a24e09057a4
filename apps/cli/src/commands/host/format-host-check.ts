import type { Host } from '@kvorum/client';
import { printable } from '../../printable.js';

type HostFacts = NonNullable<Host['facts']>;

/** What `kvorum host check` tells, as JSON just so. */
export interface HostCheck {
  readonly isKvmUsable: boolean;
  readonly verdict: string;
  readonly facts: HostFacts;
}

export function hostCheckOf(facts: HostFacts): HostCheck {
  const { isProven, reason } = facts.kvm;
  return { isKvmUsable: isProven, verdict: `KVM is ${isProven ? '' : 'not '}usable here: ${reason}`, facts };
}

const GAP = '  ';

/** The verdict on top, the machine, then each finding with what it rests on and what to do. */
export function formatHostCheck({ verdict, facts }: HostCheck, head: (text: string) => string): string {
  const width = Math.max(...facts.findings.map(({ name }) => name.length));
  const indent = `${' '.repeat(width)}${GAP}`;
  const lines = facts.findings.flatMap(({ name, value, evidence, remedy }) => [
    `${head(name.padEnd(width))}${GAP}${printable(value)}`,
    `${indent}evidence: ${printable(evidence)}`,
    ...(remedy === null ? [] : [`${indent}remedy: ${printable(remedy)}`]),
  ]);
  const machine = `${facts.cpuModel}, ${facts.hostCpuCount} CPUs, Linux ${facts.kernel}`;
  return `${[head(printable(verdict)), printable(machine), '', ...lines].join('\n')}\n`;
}
