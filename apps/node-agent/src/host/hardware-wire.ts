import type { HostHardware } from '@kvorum/schema';
import { Switch, type Hardware as WireHardware } from '@kvorum/schema/agent-wire';

/** protobuf has no null: an absent text is empty, as facts.proto says. */
export function toWireHardware(hardware: HostHardware): WireHardware {
  const { virtualisation, iommu, microcode, cores, caches, numaDistances } = hardware;
  return {
    virtualisation: {
      technology: virtualisation.technology ?? '',
      nestedPaging: virtualisation.nestedPaging ?? '',
      nestedPagingSwitch: toSwitch(virtualisation.isNestedPagingOn),
      nestingSwitch: toSwitch(virtualisation.isNestingOn),
      modules: virtualisation.modules,
      isGuest: virtualisation.isGuest,
    },
    iommuUnits: iommu.units,
    iommuGroupCount: iommu.groupCount,
    microcode: microcode ?? '',
    cores,
    caches,
    numaDistances: numaDistances.flat(),
  };
}

function toSwitch(isOn: boolean | null): Switch {
  if (isOn === null) return Switch.SWITCH_UNSPECIFIED;
  return isOn ? Switch.SWITCH_ON : Switch.SWITCH_OFF;
}
