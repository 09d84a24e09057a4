import { describe, expect, it } from 'vitest';
import { VmHardware } from '../vm/vm-hardware.schema.js';
import type { HostFacts } from './host.schema.js';
import { remedyOfTrait, traitsNeededBy, traitsOfHost } from './host-traits.js';

const BARE = {
  cpu: [],
  machineTypes: [],
  hardware: null,
  networking: null,
  seedDisks: false,
  kvm: { apiVersion: null, extensions: {}, supportedCpuidEntryCount: null, isProven: false, verdict: null, reason: '' },
};
const traitsOf = (firmware: HostFacts['firmware']) => traitsOfHost('tcg', { ...BARE, firmware });

describe('firmware as a trait', () => {
  it.each<[what: string, firmware: HostFacts['firmware'], traits: string[]]>([
    ['an agent that is too old to say', null, []],
    ['neither package', { uefi: false, secureBoot: false, tpm: false }, []],
    ['swtpm alone', { uefi: false, secureBoot: false, tpm: true }, ['tpm:2.0']],
    ['ovmf without its build for Secure Boot', { uefi: true, secureBoot: false, tpm: false }, ['firmware:uefi']],
    ['both', { uefi: true, secureBoot: true, tpm: true }, ['firmware:secure-boot', 'firmware:uefi', 'tpm:2.0']],
  ])('of a host with %s', (_what, firmware, traits) => {
    expect(traitsOf(firmware)).toEqual(['cpu-model:max', ...traits]);
  });

  it.each([
    ['a BIOS', {}, []],
    ['a watchdog', { watchdog: { action: 'reset' } }, []],
    ['UEFI', { kind: 'uefi' }, ['firmware:uefi']],
    ['Secure Boot', { kind: 'uefi', secureBoot: true }, ['firmware:secure-boot']],
    ['a TPM under a BIOS', { tpm: '2.0' }, ['tpm:2.0']],
    ['all of it', { kind: 'uefi', secureBoot: true, tpm: '2.0' }, ['firmware:secure-boot', 'tpm:2.0']],
  ])('needed by a VM with %s', (_what, firmware, traits) => {
    const needed = traitsNeededBy(VmHardware.parse({ firmware }));
    expect(needed).toEqual(traits);
    for (const trait of needed) expect(remedyOfTrait(trait)).toMatch(/^install the package (ovmf|swtpm)$/);
  });
});

describe('seed disks as a trait', () => {
  it('are of hosts that can make them, and needed by VMs with cloud-init alone', () => {
    expect(traitsOfHost('tcg', { ...BARE, firmware: null, seedDisks: true })).toContain('cloud-init:seed');
    expect(traitsOfHost('tcg', { ...BARE, firmware: null })).not.toContain('cloud-init:seed');
    const plain = VmHardware.parse({});
    expect([traitsNeededBy(plain), traitsNeededBy(plain, null)]).toEqual([[], []]);
    expect(traitsNeededBy(plain, {})).toEqual(['cloud-init:seed']);
    expect(remedyOfTrait('cloud-init:seed')).toBe('install the package xorriso');
  });
});
