import type { Accelerator } from '../vm/vm.schema.js';
import type { VmHardware } from '../vm/vm-hardware.schema.js';
import type { HostFacts } from './host.schema.js';

/**
 * What a host can do beyond amounts, and what a VM needs of that: both as short texts, `kind:name`, so that one rule serves
 * placement, the agent and the preview of a joining host. A VM runs where all its traits are.
 * Sorted and without doubles: equal hosts have equal lists. `accelerator`: what the host offers to VMs.
 */
export function traitsOfHost(
  accelerator: Accelerator | null,
  facts: Pick<HostFacts, 'cpu' | 'machineTypes' | 'hardware' | 'kvm' | 'networking' | 'firmware' | 'seedDisks'> | null,
): string[] {
  if (accelerator === null || facts === null) return [];
  const models = facts.cpu.find((support) => support.accelerator === accelerator)?.models ?? [];
  const traits = [
    `cpu-model:${accelerator === 'kvm' ? 'host' : 'max'}`,
    ...models.map(({ name }) => `cpu-model:${name}`),
    ...facts.machineTypes.map((name) => `machine-type:${name}`),
    ...(facts.networking?.kinds ?? []).map((kind) => `network:${kind}`),
    ...(facts.networking?.floatingInterface == null ? [] : [FLOATING_TRAIT]),
    ...(nestingRefusal(accelerator, facts) === null ? ['nested-virtualisation:on'] : []),
    ...(facts.firmware?.uefi === true ? ['firmware:uefi'] : []),
    ...(facts.firmware?.secureBoot === true ? ['firmware:secure-boot'] : []),
    ...(facts.firmware?.tpm === true ? ['tpm:2.0'] : []),
    ...(facts.seedDisks ? [SEED_TRAIT] : []),
  ];
  return [...new Set(traits)].sort();
}

const SEED_TRAIT = 'cloud-init:seed';
/** Needed by VMs with a port that has a floating address. */
export const FLOATING_TRAIT = 'network:floating';

/** `cloudInit`: what the VM has of it, if it has any. */
export function traitsNeededBy(
  { cpu, machineType, firmware, devices }: VmHardware,
  cloudInit?: object | null,
): string[] {
  const kinds = devices.nics.map(({ backend }) => (backend.kind === 'network' ? backend.networkKind : null));
  return [
    ...(cpu.model === null ? [] : [`cpu-model:${cpu.model}`]),
    ...(machineType === null ? [] : [`machine-type:${machineType}`]),
    ...(cpu.nestedVirtualisation ? ['nested-virtualisation:on'] : []),
    ...(firmware.kind === 'uefi' ? [firmware.secureBoot ? 'firmware:secure-boot' : 'firmware:uefi'] : []),
    ...(cloudInit == null ? [] : [SEED_TRAIT]),
    ...(firmware.tpm === 'none' ? [] : [`tpm:${firmware.tpm}`]),
    ...new Set(kinds.flatMap((kind) => (kind === null ? [] : [`network:${kind}`]))),
  ];
}

/** What gives a host the trait, for people; null: nothing that could be said in a few words. */
export const remedyOfTrait = (trait: string): string | null => REMEDIES[trait] ?? null;

/** Packages of Debian; docs/firmware.md names their files. */
const REMEDIES: Readonly<Record<string, string>> = {
  'network:nat': 'start the agent with --networks',
  'network:bridge': 'start the agent with --networks',
  'network:vxlan': 'start the agent with --networks and --overlay-address',
  'network:floating': 'start the agent with --networks and --floating-interface',
  'firmware:uefi': 'install the package ovmf',
  'firmware:secure-boot': 'install the package ovmf',
  'tpm:2.0': 'install the package swtpm',
  'cloud-init:seed': 'install the package xorriso',
};

/** Why guests of this host cannot run guests of their own, with the remedy; null: they can. */
export function nestingRefusal(
  accelerator: Accelerator,
  facts: Pick<HostFacts, 'cpu' | 'hardware' | 'kvm'>,
): string | null {
  if (accelerator !== 'kvm') return 'it needs kvm: under emulation the guest could only emulate in its turn';
  if (!facts.kvm.isProven) return `it needs proven kvm, and here it is not: ${facts.kvm.reason}`;
  const module = facts.hardware?.virtualisation.technology === 'vt-x' ? 'kvm_intel' : 'kvm_amd';
  if (facts.hardware?.virtualisation.isNestingOn !== true) {
    return `the host does not allow it: \`modprobe -r ${module} && modprobe ${module} nested=1\` while no VM runs there`;
  }
  const features = facts.cpu.find((support) => support.accelerator === 'kvm')?.features ?? [];
  if (nestingFeature(features) === null) return 'its KVM offers guests neither vmx nor svm';
  return null;
}

/** VT-x or AMD-V, as guests are given it. */
export const nestingFeature = (features: readonly string[]): 'vmx' | 'svm' | null =>
  features.includes('vmx') ? 'vmx' : features.includes('svm') ? 'svm' : null;
