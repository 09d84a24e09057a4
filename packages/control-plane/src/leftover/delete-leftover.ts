import { DomainError, type Leftover, type LeftoverId, newId } from '@kvorum/schema';
import type { AgentPort } from '../agents/agent-port.js';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { findHostAddress } from '../host/host.store.js';
import { findHostOfPool } from '../storage-pool/storage-pool.store.js';
import { notFound, requireWholeSite } from '../token/project-scope.js';
import { deleteLeftoverRow, findForeignVms, findLeftover } from './leftover.store.js';

const REMOVE_MS_MAX = 60_000;
/** Ceph goes through all that an image has. */
const REMOVE_FROM_POOL_MS_MAX = 300_000;

/**
 * Removes a leftover from its host for good: the host first, then the record, so that one that was cut off is asked for again. A VM is ended
 * and its disks are removed, if the site still has none such there. Throws not_found, forbidden, conflict_state, and what the agent throws: `in_use`
 * for a template that disks rest on, or an image that others do.
 */
export async function deleteLeftover(cp: ControlPlane, actor: Actor, leftoverId: LeftoverId): Promise<void> {
  requireWholeSite(actor);
  const leftover = await findLeftover(cp.database, leftoverId);
  if (leftover === null) throw notFound('the leftover');
  await remove(cp, leftover);
  const { host, kind, pool, name, ownerId, sizeBytes } = leftover;
  await withTransaction(cp.database, async (tx) => {
    await deleteLeftoverRow(tx, leftoverId);
    await recordEvent(tx, {
      type: 'host.leftover-removed',
      projectId: null,
      resourceKind: 'host',
      resourceId: host.id,
      data: {
        name: host.name,
        leftoverId,
        kind,
        ownerId,
        sizeBytes,
        ...(pool === null ? {} : { pool: pool.name, file: name }),
        by: actor.tokenName,
      },
    });
  });
}

async function remove(cp: ControlPlane, { host, kind, pool, name, ownerId }: Leftover): Promise<void> {
  if (pool !== null) {
    // Whichever host can use the pool now: one that has told of it may be away.
    const nearest = await findHostOfPool(cp.database, pool.id, host.id);
    if (nearest === null)
      throw new DomainError('host_unreachable', `no host that can use storage pool ${pool.name} is connected`);
    return cp.agents.agentOf(nearest).removeSetAside(pool.id, name, { timeoutMs: REMOVE_FROM_POOL_MS_MAX });
  }
  const address = await findHostAddress(cp.database, host.id);
  if (address === null) throw notFound('the host');
  const agent = cp.agents.agentOf(address);
  if (ownerId === null) throw new RangeError(`a leftover of the kind ${kind} has no owner`);
  if (kind === 'vm') await removeForeignVm(cp, agent, host.id, ownerId);
  else if (kind === 'template') await agent.removeTemplate(ownerId, { timeoutMs: REMOVE_MS_MAX });
  else await agent.removeLeftover(name, { timeoutMs: REMOVE_MS_MAX });
}

async function removeForeignVm(cp: ControlPlane, agent: AgentPort, hostId: string, vmId: string): Promise<void> {
  const observed = await agent.observeVm(vmId);
  if (observed === null) return;
  if ((await findForeignVms(cp.database, hostId, [vmId])).length === 0) {
    throw new DomainError('conflict_state', 'the site has this VM on this host by now: it is no leftover any more');
  }
  // As high as what the host has seen, and no higher: an operation that brings the VM here meanwhile has a higher generation and wins.
  const { generation, epoch } = observed;
  const intent = { vmId, generation, epoch, fencingToken: Number.MAX_SAFE_INTEGER, operationId: newId<string>() };
  await agent.removeVm(intent, { timeoutMs: REMOVE_MS_MAX });
}
