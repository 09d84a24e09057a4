import { DomainError } from '@kvorum/schema';
import type { AgentPort } from '../agents/agent-port.js';
import type { ControlPlane } from '../control-plane.js';
import { recordEvents } from '../event/event.store.js';
import { eventOf, type PoolFinding, sweepPool, warnOf } from '../leftover/sweep-pool.js';
import { findHostOfPool } from '../storage-pool/storage-pool.store.js';
import { findSettledVolumes, takeDuePool } from './storage-pools.store.js';

type Parts = Pick<ControlPlane, 'database' | 'agents' | 'log'>;

/** Each pool so often. */
const PERIOD_MS = 3_600_000;
const VOLUMES_PER_PAGE = 100;
const OBSERVE_MS_MAX = 10_000;

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
    const missing = await missingVolumes(cp, cp.agents.agentOf(host), pool.id);
    await recordEvents(
      cp.database,
      missing.map((finding) => eventOf(pool, finding)),
    );
    warnOf(cp, pool, missing);
    return missing.length + (await sweepPool(cp, host, pool)).length;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    cp.log.warn({ poolId: pool.id, code: error.code, reason: error.message }, 'a storage pool could not be looked at');
    return 0;
  }
}

async function missingVolumes({ database }: Parts, agent: AgentPort, poolId: string): Promise<PoolFinding[]> {
  const missing: PoolFinding[] = [];
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
