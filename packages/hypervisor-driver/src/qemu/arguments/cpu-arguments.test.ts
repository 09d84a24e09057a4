import { type VmCpu, VmHardware } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import { type CpuLaunch, type CpuPlan, cpuArguments, PLAIN_CPU } from './cpu-arguments.js';

const launchWith = (cpu: Partial<VmCpu>, changes: Partial<CpuLaunch> = {}): CpuLaunch => ({
  vcpuCount: 8,
  accelerator: 'kvm',
  hardware: VmHardware.parse({ cpu }),
  ...changes,
});
const argumentsOf = (cpu: Partial<VmCpu>, changes: Partial<CpuLaunch> = {}, plan: CpuPlan = PLAIN_CPU): string =>
  cpuArguments(launchWith(cpu, changes), plan).join(' ');

describe('the processor of a guest', () => {
  it.each<[string, Partial<VmCpu>, Partial<CpuLaunch>, string]>([
    ['host under kvm', {}, {}, '-cpu host,vmx=off,svm=off'],
    ['max under tcg', {}, { accelerator: 'tcg' }, '-cpu max,la57=off,vmx=off,svm=off'],
    ['host by name', { model: 'host' }, {}, '-cpu host,vmx=off,svm=off'],
    ['a model of QEMU, whole or not at all', { model: 'Haswell-v4' }, {}, '-cpu Haswell-v4,vmx=off,svm=off,enforce=on'],
    [
      'a level, out of its features',
      { model: 'x86-64-v2' },
      {},
      '-cpu qemu64-v1,lm=on,fpu=on,cmov=on,cx8=on,fxsr=on,mmx=on,syscall=on,sse=on,sse2=on,cx16=on,lahf-lm=on,popcnt=on,' +
        'pni=on,sse4.1=on,sse4.2=on,ssse3=on,vmx=off,svm=off,enforce=on',
    ],
  ])('is %s', (_what, cpu, changes, expected) => {
    expect(argumentsOf(cpu, changes)).toBe(`${expected} -smp cpus=8,sockets=1,cores=8,threads=1`);
  });

  it('has its sockets, cores and threads as they were asked for', () => {
    const topology = { sockets: 2, cores: 2, threads: 2 };
    expect(argumentsOf({ topology })).toContain('-smp cpus=8,sockets=2,cores=2,threads=2');
  });

  it.each([
    ['vmx', 'vmx=on,svm=off'],
    ['svm', 'vmx=off,svm=on'],
  ] as const)('has %s where nested virtualisation was asked for, and the other never', (nestingFeature, expected) => {
    const plan: CpuPlan = { ...PLAIN_CPU, nestingFeature };
    expect(argumentsOf({ nestedVirtualisation: true }, {}, plan)).toContain(`-cpu host,${expected}`);
    expect(argumentsOf({ nestedVirtualisation: false }, {}, plan)).toContain('-cpu host,vmx=off,svm=off');
  });

  it.each([null, 'host', 'Nehalem-v1'])('of model %s lacks what no guest starts with on this host', (model) => {
    const plan: CpuPlan = { ...PLAIN_CPU, withheldFeatures: ['arch-capabilities'] };
    expect(argumentsOf({ model }, {}, plan)).toContain(',arch-capabilities=off,vmx=off,svm=off');
  });
});
