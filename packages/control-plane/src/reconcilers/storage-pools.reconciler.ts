import { DomainError } from '@kvorum/schema';
import type { AgentPort } from '../agents/agent-port.js';
import type { ControlPlane } from '../control-plane.js';
import { recordEvent } from '../event/event.store.js';
import { findHostOfPool } from '../storage-pool/storage-pool.store.js';
import { findSettledVolumes, takeDuePool } from './storage-pools.store.js';

type Parts = Pick<ControlPlane, 'database' | 'agents' | 'log'>;

/** Each pool so often. */
const PERIOD_MS = 3_600_000;
const VOLUMES_PER_PAGE = 100;
const OBSERVE_MS_MAX = 10_000;
const SWEEP_MS_MAX = 300_000;
/** A file without a volume may be one that is being made. */
const ORPHAN_AGE_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Volumes leave the trash by operations, by the record alone; nothing is purged because a host thinks it is time. */
const NEVER_MS = 36_500 * DAY_MS;

/**
 * Compares one pool that is due with the record: volumes that are not there, files that belong to no volume, records that cannot be
 * read. Each finding is an event and a warning, for a person to look at; nothing is deleted. Several processes may do so at once, each
 * with a pool of its own. Returns how many findings.
 */
export async function reconcileStoragePools(cp: Parts, periodMs = PERIOD_MS): Promise<number> {
  const pool = await takeDuePool(cp.database, periodMs);
  if (pool === null) return 0;
  const host = await findHostOfPool(cp.database, pool.id, null);
  if (host === null) return 0;
  try {
    const agent = cp.agents.agentOf(host);
    const findings = [...(await missingVolumes(cp, agent, pool.id)), ...(await strangeFiles(agent, pool.id))];
    for (const finding of findings) {
      await recordEvent(cp.database, {
        type: 'storage-pool.finding',
        projectId: null,
        resourceKind: 'storage-pool',
        resourceId: pool.id,
        data: { pool: pool.name, ...finding },
      });
      cp.log.warn({ poolId: pool.id, pool: pool.name, ...finding }, 'a storage pool is not as the record says');
    }
    return findings.length;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    cp.log.warn({ poolId: pool.id, code: error.code, reason: error.message }, 'a storage pool could not be looked at');
    return 0;
  }
}

interface Finding {
  readonly finding: string;
  readonly volumeId?: string;
  readonly file?: string;
}

async function missingVolumes({ database }: Parts, agent: AgentPort, poolId: string): Promise<Finding[]> {
  const missing: Finding[] = [];
  for (let afterId: string | null = null; ; ) {
    const page: { id: string }[] = await findSettledVolumes(database, poolId, { afterId, countMax: VOLUMES_PER_PAGE });
    for (const { id } of page) {
      const found = await agent.observeVolume(poolId, id, { timeoutMs: OBSERVE_MS_MAX });
      if (found === null) missing.push({ finding: 'a volume of the record is not on the pool', volumeId: id });
    }
    if (page.length < VOLUMES_PER_PAGE) return missing;
    afterId = page.at(-1)?.id ?? null;
  }
}

async function strangeFiles(agent: AgentPort, poolId: string): Promise<Finding[]> {
  const bounds = { poolId, trashKeepMs: NEVER_MS, orphanAgeMs: ORPHAN_AGE_MS };
  const { quarantined, faults } = await agent.sweepPool(bounds, { timeoutMs: SWEEP_MS_MAX });
  return [
    ...quarantined.map(({ name }) => ({ finding: 'a file of no volume was put into quarantine', file: name })),
    ...faults.map((fault) => ({ finding: fault })),
  ];
}
