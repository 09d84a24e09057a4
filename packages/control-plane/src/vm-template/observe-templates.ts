import type { ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { REPORT_LEASE_MS } from '../host/host-report.store.js';
import { findUnknownTemplates, loseTemplates, restoreTemplates } from './observe-templates.store.js';

/**
 * Takes in which templates a host has. Those that it has not are lost, and one that it has again is available: what is settled within the
 * last lease is left alone, as the report may have been on its way since before. In a transaction of its own: reports lock their host before
 * all else, and those who fork lock the template before the host.
 */
export async function observeTemplates(
  cp: Pick<ControlPlane, 'database' | 'log'>,
  hostId: string,
  presentIds: readonly string[],
  isTold: boolean,
): Promise<void> {
  await withTransaction(cp.database, async (tx) => {
    const reason = 'its host does not have it any more, or cannot read it';
    await loseTemplates(tx, hostId, { presentIds, reason, settledMs: REPORT_LEASE_MS });
    await restoreTemplates(tx, hostId, presentIds);
  });
  // Once for each stream of reports, not with each of them.
  if (!isTold || presentIds.length === 0) return;
  const templateIds = await findUnknownTemplates(cp.database, hostId, presentIds, REPORT_LEASE_MS);
  if (templateIds.length === 0) return;
  cp.log.warn({ hostId, templateIds }, 'a host has templates that the site does not know; they are left as they are');
}
