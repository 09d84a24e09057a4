import { loseDomain, type PlacedVm } from '@kvorum/scheduler';
import type { HostId, SimulatedFailure, SimulateFailureRequest, VmId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { notFound, requireWholeSite } from '../token/project-scope.js';
import { readPopulatedFleet } from './populated-fleet.store.js';

/** Which running VMs would find room elsewhere if a host, rack or zone were gone now. Throws not_found, forbidden. */
export async function simulateFailure(
  cp: Pick<ControlPlane, 'database'>,
  actor: Actor,
  { level, name }: SimulateFailureRequest,
): Promise<SimulatedFailure> {
  requireWholeSite(actor);
  const { fleet, vmNames } = await readPopulatedFleet(cp.database, 'that-run');
  if (!fleet.domains(level).names.includes(name)) throw notFound(`the ${level}`, 'body.name');
  const hostName = (hostId: string): string => fleet.names[fleet.indexOf(hostId)] ?? '';
  const { lostHostIds, restarts, stranded } = loseDomain(fleet, level, name, { alsoRestarts: runs });
  const vmOf = ({ vmId, fromHostId }: { vmId: string; fromHostId: string }) => ({
    vmId: vmId as VmId,
    vmName: vmNames.get(vmId) ?? '',
    fromHostId: fromHostId as HostId,
    isHighlyAvailable: fleet.vms.get(vmId)?.request.isHighlyAvailable === true,
  });
  return {
    lostHosts: lostHostIds.map((hostId) => ({ hostId: hostId as HostId, hostName: hostName(hostId) })),
    restarts: restarts.map((restart) => ({
      ...vmOf(restart),
      toHostId: restart.toHostId as HostId,
      toHostName: hostName(restart.toHostId),
    })),
    // VMs that do not run have nothing to restart.
    stranded: stranded
      .filter(({ vmId }) => runs(fleet.vms.get(vmId)))
      .map((vm) => ({ ...vmOf(vm), reason: vm.reason })),
  };
}

const runs = (vm: PlacedVm | undefined): boolean => vm?.mobility === 'live';
