import { type HostFacts, type HostHardware, KvmVerdict } from '@kvorum/schema';
import { Switch, type Hardware as WireHardware } from '@kvorum/schema/agent-wire';

/** What the wire says of the hardware in the contract's shape, still unchecked: the caller parses it. */
export function hardwareShapeOf(wire: WireHardware): unknown {
  const { virtualisation, numaDistances } = wire;
  return {
    virtualisation: {
      technology: virtualisation?.technology || null,
      nestedPaging: virtualisation?.nestedPaging || null,
      isNestedPagingOn: isOn(virtualisation?.nestedPagingSwitch),
      isNestingOn: isOn(virtualisation?.nestingSwitch),
      modules: virtualisation?.modules ?? [],
      isGuest: virtualisation?.isGuest ?? false,
    },
    iommu: { units: wire.iommuUnits, groupCount: wire.iommuGroupCount },
    microcode: wire.microcode || null,
    cores: wire.cores,
    caches: wire.caches,
    numaDistances: squareOf(numaDistances),
  };
}

/** Rows of a square; a list that is none is no matrix and is left out. */
function squareOf(values: readonly number[]): number[][] {
  const side = Math.sqrt(values.length);
  if (!Number.isInteger(side)) return [];
  return Array.from({ length: side }, (_, row) => values.slice(row * side, (row + 1) * side));
}

const isOn = (value: Switch | undefined): boolean | null =>
  value === Switch.SWITCH_ON ? true : value === Switch.SWITCH_OFF ? false : null;

/** Null for an agent that does not say, or says what this side does not know yet. */
export const verdictOf = (text: string | undefined): KvmVerdict | null => KvmVerdict.safeParse(text).data ?? null;

/** Facts as they were stored, perhaps before an upgrade: what was not told then is null now. */
export function storedFactsOf(stored: unknown): HostFacts | null {
  if (stored === null) return null;
  const facts = stored as Omit<
    HostFacts,
    'hardware' | 'firmware' | 'kvm' | 'qemuMachineType' | 'cpu' | 'machineTypes' | 'networking' | 'seedDisks'
  > & {
    readonly firmware?: HostFacts['firmware'];
    readonly cpu?: HostFacts['cpu'];
    readonly machineTypes?: HostFacts['machineTypes'];
    readonly qemuMachineType?: string | null;
    readonly hardware?: HostHardware | null;
    readonly networking?: HostFacts['networking'];
    readonly seedDisks?: boolean;
    readonly kvm: Omit<HostFacts['kvm'], 'verdict'> & { readonly verdict?: KvmVerdict | null };
  };
  return {
    ...facts,
    qemuMachineType: facts.qemuMachineType ?? null,
    machineTypes: facts.machineTypes ?? (facts.qemuMachineType ? [facts.qemuMachineType] : []),
    cpu: facts.cpu ?? [],
    firmware: facts.firmware ?? null,
    hardware: facts.hardware ?? null,
    networking: facts.networking ?? null,
    seedDisks: facts.seedDisks ?? false,
    kvm: { ...facts.kvm, verdict: facts.kvm.verdict ?? null },
  };
}
