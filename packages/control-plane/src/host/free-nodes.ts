import { fleetOf, type HostRow, NO_AMOUNTS, type NumaNodeFree, planNuma } from '@kvorum/scheduler';
import { type Accelerator, VmHardware } from '@kvorum/schema';
import { requestOfVm } from '../vm/request-of-vm.js';

/** A VM that has room on a host, and no node of it that anybody has told. */
export interface VmWithoutNodes {
  readonly vcpuCount: number;
  readonly memoryBytes: number;
  readonly accelerator: Accelerator | null;
  readonly hardware: unknown;
}

/**
 * The host with what its NUMA nodes have free: what its agent told, less what VMs will take that have their room but do not
 * run (yet). Where those will lie only their start decides; they are laid out here in the order in which they were made, by
 * the rule by which the agent does it. One that finds no place takes nothing: its start is refused if nothing changes.
 * Pure. `told` null: the agent does not say, and the host is not judged by its nodes.
 */
export function withFreeNodes(
  row: HostRow,
  told: readonly NumaNodeFree[] | null,
  vms: readonly VmWithoutNodes[],
): HostRow {
  if (told === null) return row;
  const whole = { ...row, numaNodes: told };
  if (vms.length === 0) return whole;
  const fleet = fleetOf([whole]);
  for (const { accelerator, hardware, ...size } of vms) {
    // What a newer version of this program recorded need not read here; it must not end placement.
    const { data } = VmHardware.safeParse(hardware);
    if (data === undefined) continue;
    const request = requestOfVm({ accelerator: accelerator ?? undefined, hardware: data }, size, 0);
    fleet.reserve(row.hostId, NO_AMOUNTS, -1, planNuma(fleet, 0, request) ?? []);
  }
  return { ...row, numaNodes: fleet.numaNodesOf(0) ?? told };
}
