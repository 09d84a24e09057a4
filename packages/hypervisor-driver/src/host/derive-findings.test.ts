import { GIB, KIB, MIB } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import { deriveFindings } from './derive-findings.js';
import type { FactsFound } from './finding.js';

const INTEL: FactsFound = {
  kernel: '6.12',
  qemuVersion: '10.0.2',
  qemuMachineType: 'pc-q35-10.0',
  machineTypes: ['pc-q35-10.0'],
  cpu: [],
  cpuVendor: 'GenuineIntel',
  cpuModel: 'x',
  cpuFlags: ['vmx', 'ept'],
  kvm: {
    apiVersion: 12,
    extensions: {},
    supportedCpuidEntryCount: 1,
    isProven: true,
    verdict: 'proven',
    reason: 'the test guest ran',
  },
  networking: null,
  seedDisks: false,
  hostCpuCount: 4,
  numaNodes: [
    { id: 0, cpus: [0, 2], memoryBytes: GIB, hugePages: { 2048: 8, 1048576: 0 } },
    { id: 1, cpus: [1, 3], memoryBytes: GIB, hugePages: { 2048: 0, 1048576: 2 } },
  ],
  memoryBytes: 2 * GIB,
  firmware: null,
  hardware: {
    virtualisation: {
      technology: 'vt-x',
      nestedPaging: 'ept',
      isNestedPagingOn: true,
      isNestingOn: true,
      modules: ['kvm_intel'],
      isGuest: false,
    },
    iommu: { units: ['dmar0', 'dmar1'], groupCount: 3 },
    microcode: '0xd0003a5',
    cores: [
      { socketId: 0, coreId: 0, cpus: '0,2' },
      { socketId: 1, coreId: 0, cpus: '1,3' },
    ],
    caches: [
      { level: 1, type: 'data', sizeBytes: 48 * KIB, sharedBy: ['0,2', '1,3'] },
      { level: 3, type: 'unified', sizeBytes: 48 * MIB, sharedBy: ['0-3'] },
    ],
    numaDistances: [
      [10, 21],
      [21, 10],
    ],
  },
};

interface Changes {
  readonly facts?: Partial<FactsFound>;
  readonly kvm?: Partial<FactsFound['kvm']>;
  readonly virtualisation?: Partial<FactsFound['hardware']['virtualisation']>;
  readonly hardware?: Partial<FactsFound['hardware']>;
}

const changed = ({ facts, kvm, virtualisation, hardware }: Changes): FactsFound => ({
  ...INTEL,
  ...facts,
  kvm: { ...INTEL.kvm, ...kvm },
  hardware: {
    ...INTEL.hardware,
    ...hardware,
    virtualisation: { ...INTEL.hardware.virtualisation, ...virtualisation },
  },
});

describe('findings', () => {
  it('of a good host say what there is and ask for nothing', () => {
    const findings = deriveFindings(INTEL);
    expect(findings.map(({ name, value }) => [name, value])).toEqual([
      ['cpu-virtualisation', 'VT-x (vmx)'],
      ['nested-paging', 'EPT, on'],
      ['kvm-modules', 'kvm_intel'],
      ['kvm', 'proven'],
      ['nested-virtualisation', 'possible'],
      ['iommu', 'on: 2 units, 3 groups'],
      ['qemu', '10.0.2 (pc-q35-10.0)'],
      ['microcode', '0xd0003a5'],
      ['cpu-topology', '2 sockets, 2 cores, 4 threads; SMT on'],
      ['caches', '2 x L1d 48 KiB, 1 x L3 48 MiB'],
      ['huge-pages', 'node 0: 8 x 2048 KiB, node 1: 2 x 1048576 KiB'],
      ['numa', '2 nodes; distances 10 21 / 21 10'],
    ]);
    expect(findings.filter(({ remedy }) => remedy !== null)).toEqual([]);
    expect(findings.filter(({ evidence }) => evidence === '')).toEqual([]);
  });

  const AMD = { facts: { cpuVendor: 'AuthenticAMD', cpuFlags: ['svm', 'npt'] } };
  const NO_FLAGS = { technology: null, nestedPaging: null, isNestedPagingOn: null, modules: [] };
  it.each<[string, Changes, name: string, value: string, remedy: RegExp | null]>([
    ['no flags', { virtualisation: NO_FLAGS }, 'cpu-virtualisation', 'absent', /in the firmware/],
    [
      'no flags in a guest',
      { virtualisation: { ...NO_FLAGS, isGuest: true } },
      'cpu-virtualisation',
      'absent',
      /itself a guest/,
    ],
    ['no flags', { virtualisation: NO_FLAGS }, 'nested-paging', 'absent', null],
    ['no EPT', { virtualisation: { nestedPaging: null } }, 'nested-paging', 'absent', /processor with EPT/],
    [
      'EPT turned off',
      { virtualisation: { isNestedPagingOn: false } },
      'nested-paging',
      'EPT, off',
      /modprobe kvm_intel ept=1/,
    ],
    [
      'NPT turned off',
      { ...AMD, virtualisation: { technology: 'amd-v', nestedPaging: 'npt', isNestedPagingOn: false } },
      'nested-paging',
      'NPT, off',
      /modprobe kvm_amd npt=1/,
    ],
    ['the module missing', { virtualisation: { modules: [] } }, 'kvm-modules', 'none', /modprobe kvm_intel/],
    [
      'no /dev/kvm',
      { kvm: { isProven: false, verdict: 'disabled' } },
      'kvm',
      'disabled',
      /in the firmware, then `modprobe kvm_intel`/,
    ],
    ['neither', { kvm: { isProven: false, verdict: 'absent' } }, 'kvm', 'absent', /VT-x or AMD-V.*emulation/],
    ['a proof that failed', { kvm: { isProven: false, verdict: 'failed' } }, 'kvm', 'failed', /rights on \/dev\/kvm/],
    [
      'software that answers',
      { kvm: { isProven: false, verdict: 'software-nested' } },
      'kvm',
      'software-nested',
      /--trust-software-kvm/,
    ],
    [
      'nesting off',
      { virtualisation: { isNestingOn: false } },
      'nested-virtualisation',
      'off',
      /modprobe kvm_intel nested=1/,
    ],
    ['nesting not told', { virtualisation: { isNestingOn: null } }, 'nested-virtualisation', 'not known', null],
    ['no IOMMU', { hardware: { iommu: { units: [], groupCount: 0 } } }, 'iommu', 'off', /intel_iommu=on/],
    ['no IOMMU on AMD', { ...AMD, hardware: { iommu: { units: [], groupCount: 0 } } }, 'iommu', 'off', /firmware\.$/],
    ['QEMU 9', { facts: { qemuVersion: '9.2.0', qemuMachineType: null } }, 'qemu', '9.2.0', /10 or newer/],
    ['no QEMU', { facts: { qemuVersion: null } }, 'qemu', 'absent', /Install/],
    ['hidden topology', { hardware: { cores: [] } }, 'cpu-topology', 'not told', null],
    ['hidden caches', { hardware: { caches: [] } }, 'caches', 'not told', null],
  ])('of a host with %s: %o: %s is %s', (_what, changes, name, value, remedy) => {
    const finding = deriveFindings(changed(changes)).find((found) => found.name === name);
    expect(finding?.value).toBe(value);
    if (remedy === null) expect(finding?.remedy).toBeNull();
    else expect(finding?.remedy).toMatch(remedy);
  });
});
