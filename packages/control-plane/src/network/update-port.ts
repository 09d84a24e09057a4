import type { Port, PortId, UpdatePortRequest } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { requireGeneration } from '../require-generation.js';
import { findPort, lockPort, writePort } from './port.store.js';
import { holdWhatPortNeeds, recordPortChange, visiblePort } from './ports.js';

/** Throws not_found, precondition_failed. */
export async function updatePort(
  cp: ControlPlane,
  actor: Actor,
  portId: PortId,
  request: UpdatePortRequest,
  options: { ifMatch?: number | undefined } = {},
): Promise<Port> {
  return withTransaction(cp.database, async (tx) => {
    const before = visiblePort(actor, await lockPort(tx, portId));
    requireGeneration('port', before, options.ifMatch);
    const { vmId = before.vmId, securityGroupIds = before.securityGroupIds } = request;
    await holdWhatPortNeeds(tx, before.projectId, { vmId: request.vmId, securityGroupIds });
    const { ingressBitsPerSecond = before.ingressBitsPerSecond, egressBitsPerSecond = before.egressBitsPerSecond } =
      request;
    const bandwidth = { ingressBitsPerSecond, egressBitsPerSecond };
    await writePort(tx, portId, { vmId, securityGroupIds, ...bandwidth, now: cp.clock() });
    const port = visiblePort(actor, await findPort(tx, portId));
    await recordPortChange(tx, actor, port, 'changed');
    return port;
  });
}
