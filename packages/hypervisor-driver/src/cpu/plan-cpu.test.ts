import { type HostFacts, type VmCpu, VmHardware } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import { FAKE_FACTS } from '../fake/fake-facts.js';
import type { CpuLaunch } from '../qemu/arguments/cpu-arguments.js';
import { planCpu } from './plan-cpu.js';

const launchWith = (cpu: Partial<VmCpu>, accelerator: CpuLaunch['accelerator'] = 'kvm'): CpuLaunch => ({
  vcpuCount: 1,
  accelerator,
  hardware: VmHardware.parse({ cpu }),
});
const NESTED = { nestedVirtualisation: true };
const withNesting = (isNestingOn: boolean | null): HostFacts => {
  const { hardware } = FAKE_FACTS;
  if (hardware === null) throw new TypeError('the fake host has hardware');
  return { ...FAKE_FACTS, hardware: { ...hardware, virtualisation: { ...hardware.virtualisation, isNestingOn } } };
};

describe('the processor on this host', () => {
  it('is refused with what there is instead, when QEMU has not listed the model', () => {
    expect(() => planCpu(launchWith({ model: 'EPYC-Genoa-v1' }), FAKE_FACTS)).toThrow(
      expect.objectContaining({
        code: 'conflict_state',
        message: 'this host cannot run the CPU model EPYC-Genoa-v1 under kvm',
        details: { fields: [{ field: 'hardware.cpu.model', message: expect.stringContaining('Haswell-v4') }] },
      }),
    );
  });

  it('is refused, when it is named, as long as QEMU has not said anything', () => {
    expect(() => planCpu(launchWith({ model: 'Haswell-v4' }), { ...FAKE_FACTS, cpu: [] })).toThrow('cannot run');
    expect(planCpu(launchWith({}), { ...FAKE_FACTS, cpu: [] }).withheldFeatures).toEqual([]);
  });

  it.each<[string, CpuLaunch['accelerator'], HostFacts, RegExp]>([
    ['under emulation', 'tcg', FAKE_FACTS, /needs kvm/],
    ['where kvm is not proven', 'kvm', { ...FAKE_FACTS, kvm: { ...FAKE_FACTS.kvm, isProven: false } }, /proven kvm/],
    ['where the module does not allow it', 'kvm', withNesting(false), /modprobe kvm_intel nested=1/],
    ['where the module does not say', 'kvm', withNesting(null), /does not allow it/],
    ['where KVM offers no vmx', 'kvm', { ...FAKE_FACTS, cpu: [] }, /neither vmx nor svm/],
  ])('has no nested virtualisation %s', (_where, accelerator, facts, message) => {
    expect(() => planCpu(launchWith(NESTED, accelerator), facts)).toThrow(message);
  });

  it('has nested virtualisation where all of that is given, and only when asked', () => {
    expect(planCpu(launchWith(NESTED), FAKE_FACTS).nestingFeature).toBe('vmx');
    expect(planCpu(launchWith({}), FAKE_FACTS).nestingFeature).toBeNull();
  });
});
