import { DomainError, type HostFacts, nestingFeature, nestingRefusal } from '@kvorum/schema';
import { type CpuLaunch, type CpuPlan, PLAIN_CPU } from '../qemu/arguments/cpu-arguments.js';

type CpuFacts = Pick<HostFacts, 'cpu' | 'hardware' | 'kvm'>;

/** Does the answer depend on the host at all? Emulation of the plain model runs anywhere, and needs no look at it. */
export const dependsOnHost = ({ accelerator, hardware }: CpuLaunch): boolean =>
  accelerator === 'kvm' || hardware.cpu.model !== null || hardware.cpu.nestedVirtualisation;

/**
 * How this host gives the VM the processor it asks for. Throws `conflict_state`, with what there is instead, when it cannot.
 * Only names that QEMU itself has listed get past here.
 */
export function planCpu({ hardware, accelerator }: CpuLaunch, facts: CpuFacts): CpuPlan {
  const { model, nestedVirtualisation } = hardware.cpu;
  const support = facts.cpu.find((entry) => entry.accelerator === accelerator);
  const isOwn = model === null || model === 'host' || model === 'max';
  if (!isOwn && support?.models.some(({ name }) => name === model) !== true) {
    const known = support?.models.map(({ name }) => name).join(', ') || 'none is known';
    throw new DomainError('conflict_state', `this host cannot run the CPU model ${model} under ${accelerator}`, {
      details: { fields: [{ field: 'hardware.cpu.model', message: `this host can run: ${known}` }] },
    });
  }
  const refusal = nestedVirtualisation ? nestingRefusal(accelerator, facts) : null;
  if (refusal !== null) {
    throw new DomainError('conflict_state', `the VM cannot have nested virtualisation: ${refusal}`, {
      details: { fields: [{ field: 'hardware.cpu.nestedVirtualisation', message: refusal }] },
    });
  }
  if (support === undefined) return PLAIN_CPU;
  return {
    withheldFeatures: support.withheldFeatures,
    nestingFeature: nestedVirtualisation ? nestingFeature(support.features) : null,
  };
}
