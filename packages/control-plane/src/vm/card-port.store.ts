import type { SecurityGroupId } from '@kvorum/schema';
import type { Tx } from '../database/database.js';
import type { VmShape } from './vm-shape.js';

/** A network card on a network, with its port. */
export interface CardPort {
  readonly portId: string;
  readonly networkId: string;
  readonly macAddress: string;
  /** The port was made for the card, and goes with it. */
  readonly ownsPort: boolean;
  readonly securityGroupIds: readonly SecurityGroupId[];
}

/** The cards on networks of all shapes of a VM, each once. */
export function cardPortsOf(shapes: readonly Pick<VmShape, 'hardware'>[]): CardPort[] {
  const ports = new Map<string, CardPort>();
  for (const { backend, macAddress } of shapes.flatMap(({ hardware }) => hardware.devices.nics)) {
    if (backend.kind !== 'network') continue;
    const { portId, networkId, ownsPort, securityGroupIds } = backend;
    if (portId === null || networkId === null || macAddress === null) continue;
    ports.set(portId, { portId, networkId, macAddress, ownsPort, securityGroupIds });
  }
  return [...ports.values()];
}

/**
 * Gives up the ports of cards that a VM had in `before` and has in none of `kept`: those that were made for a card are deleted, the
 * others are for no VM any more.
 */
export async function releasePorts(
  tx: Tx,
  vmId: string,
  before: readonly Pick<VmShape, 'hardware'>[],
  kept: readonly Pick<VmShape, 'hardware'>[],
): Promise<void> {
  const keptIds = new Set(cardPortsOf(kept).map(({ portId }) => portId));
  const gone = cardPortsOf(before).filter(({ portId }) => !keptIds.has(portId));
  if (gone.length === 0) return;
  const idsOf = (isOwn: boolean) => gone.filter(({ ownsPort }) => ownsPort === isOwn).map(({ portId }) => portId);
  await tx.$executeRaw`DELETE FROM ports WHERE vm_id = ${vmId}::uuid AND id = ANY (${idsOf(true)}::uuid[])`;
  await tx.$executeRaw`
    UPDATE ports SET vm_id = NULL, generation = generation + 1, updated_at = clock_timestamp()
     WHERE vm_id = ${vmId}::uuid AND id = ANY (${idsOf(false)}::uuid[])`;
}
