import { readdir, rm } from 'node:fs/promises';
import { z } from 'zod';
import { forEachBounded } from '../for-each-bounded.js';
import type { VmDirectory } from './vm-directory.js';
import type { VmHost } from './vm-host.js';

/** Each adoption talks to one process; more at once would not be faster on a small host. */
const RECOVERIES_AT_ONCE = 8;

/**
 * Brings a restarted agent back in charge: every recorded VM is found again and left as it is, removals that were
 * interrupted are finished, and processes in our run folder that no record knows are ended. A VM that could not be
 * examined is known as such to its actor, which answers no request until it was.
 */
export async function recoverVms(host: VmHost, directory: VmDirectory): Promise<void> {
  await forEachBounded(directory.actors, RECOVERIES_AT_ONCE, (actor) => actor.recover());
  for (const vmId of await foldersOfVms(host.folders.runDir)) {
    if (directory.find(vmId) !== null) continue;
    host.log.warn({ vmId }, 'ending what an unknown VM left in the run folder');
    try {
      await host.driver.sweep(vmId, host.folders.runDirOf(vmId));
      await rm(host.folders.runDirOf(vmId), { recursive: true, force: true });
    } catch (thrown) {
      host.log.error({ vmId, error: String(thrown) }, 'what an unknown VM left could not be removed');
    }
  }
  await host.driver.removeLeftovers(() => false);
  for (const vmId of await foldersOfVms(host.folders.disks)) {
    // Data of a tenant: records are written before disks, so this is for a person to judge.
    if (directory.find(vmId) === null) host.log.warn({ vmId }, 'disks of an unknown VM are left untouched');
  }
}

/** Only folders that are named as ours are. */
async function foldersOfVms(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() && z.uuid().safeParse(entry.name).success)
    .map(({ name }) => name);
}
