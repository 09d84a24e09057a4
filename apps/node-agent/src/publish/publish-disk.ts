import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '@kvorum/schema';
import type { StateFolders } from '../state/state-folders.js';
import { baseOf } from '../vm/machine-of-vm.js';
import type { VmActor } from '../vm/vm-actor.js';
import type { VmHost } from '../vm/vm-host.js';
import type { VmRecord } from '../vm/vm-record.js';
import { type PublishedPart, publishFile } from './publish-file.js';

/** One of the VM's local disks as a file of its own. */
export const publishDisk = (
  host: VmHost,
  actor: VmActor,
  volumeId: string,
  signal: AbortSignal,
): AsyncGenerator<PublishedPart> =>
  publishFile(host.folders, signal, (target, onProgress) =>
    // Between intents: it does not start meanwhile.
    actor.withRun(async (run) => {
      if (run !== null) throw new DomainError('conflict_state', 'the VM runs on this host: stop it first');
      await host.driver.flattenDisk({ ...diskOf(host, actor.record, volumeId), target }, { signal, onProgress });
    }, signal),
  );

export async function removeUnpublished({ publishing }: StateFolders): Promise<void> {
  for (const name of await readdir(publishing)) await rm(join(publishing, name), { force: true });
}

function diskOf(host: VmHost, record: VmRecord | null, volumeId: string) {
  const volume = record?.volumes[volumeId as keyof VmRecord['volumes']];
  if (record === null || volume?.isComplete !== true) {
    throw new DomainError('not_found', 'the VM has no such disk in the folder of this host');
  }
  const { imagePath } = baseOf(host, volume);
  return { path: host.folders.diskOf(record.vmId, volumeId), imagePath, sizeBytesMax: volume.sizeBytes };
}
