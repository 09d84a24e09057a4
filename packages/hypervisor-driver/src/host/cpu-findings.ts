import type { HostFacts } from '@kvorum/schema';
import type { CpuAnswer } from '../cpu/query-cpu-support.js';
import type { Finding } from './finding.js';

/** What guests can be given of the processor. Pure. */
export function cpuFindings(
  { cpu, qemuVersion }: Pick<HostFacts, 'cpu' | 'qemuVersion'>,
  answers: readonly CpuAnswer[],
): Finding[] {
  if (qemuVersion === null) return [];
  const evidence = 'QMP query-cpu-definitions, query-cpu-model-expansion';
  const found = cpu.map(
    ({ accelerator, models, level }) => `${accelerator}: ${models.length} models, up to x86-64-v${level}`,
  );
  const reasons = answers.flatMap((answer) => (answer.support === null ? [answer.reason] : []));
  const withheld = [...new Set(cpu.flatMap(({ withheldFeatures }) => withheldFeatures))];
  const models: Finding = {
    name: 'cpu-models',
    value: found.join('; ') || 'not known',
    evidence: [evidence, ...reasons].join('; '),
    remedy: reasons.length === 0 ? null : 'Until QEMU answers, no VM that asks for a CPU model is placed here.',
  };
  if (withheld.length === 0) return [models];
  const quirk: Finding = {
    name: 'cpu-withheld',
    value: withheld.join(', '),
    evidence: 'QEMU ended with "failed to set MSR" until it was told to leave the feature off',
    remedy: 'KVM here announces what it then refuses, as nested and software KVM does: guests start without it.',
  };
  return [models, quirk];
}
