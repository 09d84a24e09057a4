import { DomainError, type HostId, type HostSweep, newId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { recordEvents } from '../event/event.store.js';
import { findHostAddress } from '../host/host.store.js';
import { notFound, requireWholeSite } from '../token/project-scope.js';
import {
  findForeignTemplates,
  findForeignVms,
  findImageDigests,
  findLeftovers,
  noteSweep,
  type SeenLeftover,
  writeLeftovers,
} from './leftover.store.js';
import { findPoolsOfHost } from './pool-leftover.store.js';
import { ORPHAN_AGE_MS, sweepPool } from './sweep-pool.js';

type Parts = Pick<ControlPlane, 'database' | 'agents' | 'log'>;

/** Reading what all files take, and ending processes that are nobody's. */
const SWEEP_MS_MAX = 300_000;
const LISTED_MAX = 1_000;

/** Has a host looked at now. Throws not_found, forbidden, and what the host's agent throws. */
export async function sweepHost(cp: ControlPlane, actor: Actor, hostId: HostId): Promise<HostSweep> {
  requireWholeSite(actor);
  const { removed, faults } = await sweep(cp, hostId, ORPHAN_AGE_MS);
  const ofPools = await sweepPoolsOf(cp, hostId);
  const leftovers = await findLeftovers(cp.database, hostId, { afterId: null, rowCountMax: LISTED_MAX });
  return { leftovers, removed: [...removed], faults: [...faults, ...ofPools] };
}

/** Asks the agent, compares with the record, and keeps what it told. What was not known before is an event and a warning. */
export async function sweep(
  cp: Parts,
  hostId: string,
  orphanAgeMs: number,
): Promise<Pick<HostSweep, 'removed' | 'faults'> & { readonly newCount: number }> {
  const host = await findHostAddress(cp.database, hostId);
  if (host === null) throw notFound('the host');
  const agent = cp.agents.agentOf(host);
  await noteSweep(cp.database, hostId);
  const imageSha256s = await findImageDigests(cp.database);
  const told = await agent.sweepHost({ orphanAgeMs, imageSha256s }, { timeoutMs: SWEEP_MS_MAX });
  const foreign = {
    vm: await findForeignVms(cp.database, hostId, told.vmIds),
    template: await findForeignTemplates(cp.database, hostId, told.templateIds),
  };
  const seen: SeenLeftover[] = [
    ...told.quarantined.map((entry) => ({ ...entry, id: newId<string>() })),
    ...(['vm', 'template'] as const).flatMap((kind) =>
      foreign[kind].map((id) => ({ id: newId<string>(), kind, name: id, ownerId: id, sizeBytes: 0 })),
    ),
  ];
  const found = await withTransaction(cp.database, async (tx) => {
    const unknown = await writeLeftovers(tx, hostId, seen);
    await recordEvents(
      tx,
      unknown.map(({ id, kind, ownerId, sizeBytes }) => ({
        type: 'host.leftover',
        projectId: null,
        resourceKind: 'host',
        resourceId: hostId,
        data: { name: host.name, leftoverId: id, kind, ownerId, sizeBytes },
      })),
    );
    return unknown;
  });
  for (const { kind, ownerId } of found) {
    cp.log.warn({ hostId, host: host.name, kind, ownerId }, 'a host has something that belongs to nobody');
  }
  return { removed: [...told.removed], faults: [...told.faults], newCount: found.length };
}

/** Of the pools that the host can use. Returns what could not be looked at. */
async function sweepPoolsOf(cp: Parts, hostId: HostId): Promise<string[]> {
  const faults: string[] = [];
  for (const pool of await findPoolsOfHost(cp.database, hostId)) {
    try {
      const host = await findHostAddress(cp.database, hostId);
      if (host !== null) await sweepPool(cp, { ...host, id: hostId }, pool);
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      faults.push(`storage pool ${pool.name}: ${error.message}`);
    }
  }
  return faults;
}
