import { createHash, randomUUID } from 'node:crypto';
import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError, MIB } from '@kvorum/schema';
import type { StateFolders } from '../state/state-folders.js';
import { baseOf } from '../vm/machine-of-vm.js';
import type { VmActor } from '../vm/vm-actor.js';
import type { VmHost } from '../vm/vm-host.js';
import type { VmRecord } from '../vm/vm-record.js';

/** Well under the 4 MiB that gRPC takes as one message. */
const PART_BYTES = MIB;
const PROGRESS_INTERVAL_MS = 500;

export type PublishedPart =
  | { readonly kind: 'making'; readonly fraction: number }
  | { readonly kind: 'data'; readonly data: Buffer; readonly totalBytes: number }
  | { readonly kind: 'end'; readonly sha256: string; readonly totalBytes: number };

/**
 * One of the VM's local disks as a file of its own. It lies beside nothing of the VM's, and goes with the end of the call, however that
 * comes; of an agent that is killed the next one removes it.
 */
export async function* publishDisk(
  host: VmHost,
  actor: VmActor,
  volumeId: string,
  signal: AbortSignal,
): AsyncGenerator<PublishedPart> {
  const file = join(host.folders.publishing, `${randomUUID()}.qcow2`);
  try {
    yield* make(host, actor, { volumeId, file }, signal);
    yield* read(file, signal);
  } finally {
    await rm(file, { force: true });
  }
}

export async function removeUnpublished({ publishing }: StateFolders): Promise<void> {
  for (const name of await readdir(publishing)) await rm(join(publishing, name), { force: true });
}

async function* make(
  host: VmHost,
  actor: VmActor,
  { volumeId, file }: { readonly volumeId: string; readonly file: string },
  signal: AbortSignal,
): AsyncGenerator<PublishedPart> {
  let [fraction, isMade] = [0, false];
  const onProgress = (done: number): void => {
    fraction = done;
  };
  // Between intents: it does not start meanwhile.
  const made = actor
    .withRun(async (run) => {
      if (run !== null) throw new DomainError('conflict_state', 'the VM runs on this host: stop it first');
      const { path, ...disk } = diskOf(host, actor.record, volumeId);
      await host.driver.flattenDisk({ path, ...disk, target: file }, { signal, onProgress });
    }, signal)
    .finally(() => {
      isMade = true;
    });
  // Awaited below; until then a failure must not count as unhandled.
  made.catch(() => undefined);
  while (!isMade) {
    await Promise.race([made.catch(() => undefined), sleep(PROGRESS_INTERVAL_MS, undefined, { ref: false })]);
    if (!isMade) yield { kind: 'making', fraction };
  }
  await made;
}

function diskOf(host: VmHost, record: VmRecord | null, volumeId: string) {
  const volume = record?.volumes[volumeId as keyof VmRecord['volumes']];
  if (record === null || volume?.isComplete !== true) {
    throw new DomainError('not_found', 'the VM has no such disk in the folder of this host');
  }
  const { imagePath } = baseOf(host, volume);
  return { path: host.folders.diskOf(record.vmId, volumeId), imagePath, sizeBytesMax: volume.sizeBytes };
}

async function* read(file: string, signal: AbortSignal): AsyncGenerator<PublishedPart> {
  const content = await open(file, 'r');
  try {
    const { size: totalBytes } = await content.stat();
    const sha256 = createHash('sha256');
    for (let offset = 0; offset < totalBytes; ) {
      signal.throwIfAborted();
      const { bytesRead, buffer } = await content.read(Buffer.allocUnsafe(PART_BYTES), 0, PART_BYTES, offset);
      if (bytesRead === 0) throw new DomainError('host_fault', 'a file that is being published was cut');
      const data = buffer.subarray(0, bytesRead);
      sha256.update(data);
      offset += bytesRead;
      yield { kind: 'data', data, totalBytes };
    }
    yield { kind: 'end', sha256: sha256.digest('hex'), totalBytes };
  } finally {
    await content.close();
  }
}
