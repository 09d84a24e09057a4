import { newId } from '@kvorum/schema';
import { z } from 'zod';
import type { ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { recordEvents } from '../event/event.store.js';
import { type SeenPoolLeftover, writePoolLeftovers } from './pool-leftover.store.js';

const SWEEP_MS_MAX = 300_000;
/** What is younger may be being made: no operation works so long on something it has not recorded. */
export const ORPHAN_AGE_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Volumes leave the trash by operations, by the record alone; nothing is purged because a host thinks it is time. */
const NEVER_MS = 36_500 * DAY_MS;

export interface PoolFinding {
  readonly finding: string;
  readonly volumeId?: string;
  readonly file?: string;
  readonly leftoverId?: string;
}

type Parts = Pick<ControlPlane, 'database' | 'agents' | 'log'>;
interface Named {
  readonly id: string;
  readonly name: string;
}

/**
 * Has a host put aside what no volume of the pool is made of, and keeps on record what lies there. Returns what it came to that was not known
 * before; each is an event. Throws what the agent throws.
 */
export async function sweepPool(
  cp: Parts,
  host: Named & { readonly address: string },
  pool: Named,
): Promise<PoolFinding[]> {
  const bounds = { poolId: pool.id, trashKeepMs: NEVER_MS, orphanAgeMs: ORPHAN_AGE_MS };
  const told = await cp.agents.agentOf(host).sweepPool(bounds, { timeoutMs: SWEEP_MS_MAX });
  const seen = told.setAside.map(
    ({ name, sizeBytes }): SeenPoolLeftover => ({ id: newId<string>(), name, ownerId: ownerOf(name), sizeBytes }),
  );
  const listed = new Set(seen.map(({ name }) => name));
  const unlisted = told.quarantined.filter(({ name }) => !listed.has(name));
  const findings = await withTransaction(cp.database, async (tx) => {
    const unknown = await writePoolLeftovers(tx, { hostId: host.id, poolId: pool.id }, seen);
    const found: PoolFinding[] = [
      ...[
        ...unknown.map(({ name, id }) => ({ file: name, leftoverId: id })),
        ...unlisted.map(({ name }) => ({ file: name })),
      ].map((file) => ({ finding: 'a file of no volume was put into quarantine', ...file })),
      ...told.faults.map((fault) => ({ finding: fault })),
    ];
    await recordEvents(
      tx,
      found.map((finding) => eventOf(pool, finding)),
    );
    return found;
  });
  warnOf(cp, pool, findings);
  return findings;
}

export const eventOf = (pool: Named, finding: PoolFinding) => ({
  type: 'storage-pool.finding' as const,
  projectId: null,
  resourceKind: 'storage-pool' as const,
  resourceId: pool.id,
  data: { pool: pool.name, ...finding },
});

export function warnOf({ log }: Pick<Parts, 'log'>, pool: Named, findings: readonly PoolFinding[]): void {
  for (const finding of findings) {
    log.warn({ poolId: pool.id, pool: pool.name, ...finding }, 'a storage pool is not as the record says');
  }
}

/** What a pool makes is named `<volume>.<id>...`. */
function ownerOf(name: string): string | null {
  const read = z.uuid().safeParse(name.split('.')[0]);
  return read.success ? read.data : null;
}
