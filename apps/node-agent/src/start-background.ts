import type { AgentParts } from './agent-parts.js';
import type { Log } from './log.js';

/** Capacity and findings change slowly: memory is fixed, disks fill over minutes. */
const INVENTORY_INTERVAL_MS = 60_000;
const TOMBSTONE_CHECK_INTERVAL_MS = 3_600_000;

/** Reports, polls and housekeeping; returns what stops them. */
export function startBackground(parts: AgentParts, log: Log): () => void {
  const warn = (what: string) => (thrown: unknown) => log.warn({ error: String(thrown) }, what);
  parts.stream.start();
  parts.guests.start();
  parts.monitors.start();
  parts.keeper.start();
  parts.overheads.start();
  parts.balloons.start();
  parts.freezes.start();
  parts.merges.start();
  const inventory = setInterval(() => {
    parts.inventory
      .refresh()
      .then((hasChanged) => {
        parts.cpus.update(parts.inventory.latest.topology);
        if (hasChanged) parts.stream.factsChanged();
      })
      .catch(warn('the host could not be observed'));
  }, INVENTORY_INTERVAL_MS);
  const tombstones = setInterval(() => {
    parts.directory.forgetOldTombstones(Date.now()).catch(warn('old tombstones could not be removed'));
  }, TOMBSTONE_CHECK_INTERVAL_MS);
  return () => {
    clearInterval(inventory);
    clearInterval(tombstones);
    parts.guests.stop();
    parts.freezes.stop();
    parts.pools.stop();
    parts.monitors.stop();
    parts.keeper.stop();
    parts.overheads.stop();
  };
}
