import { createHash, randomUUID } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError, MIB } from '@kvorum/schema';
import type { StateFolders } from '../state/state-folders.js';

/** Well under the 4 MiB that gRPC takes as one message. */
const PART_BYTES = MIB;
const PROGRESS_INTERVAL_MS = 500;

export type PublishedPart =
  | { readonly kind: 'making'; readonly fraction: number }
  | { readonly kind: 'data'; readonly data: Buffer; readonly totalBytes: number }
  | { readonly kind: 'end'; readonly sha256: string; readonly totalBytes: number };

export type MakeFile = (target: string, onProgress: (fraction: number) => void) => Promise<void>;

/**
 * Has a file made, and gives its content. It lies beside nothing of a VM's, and goes with the end of the call, however that
 * comes; of an agent that is killed the next one removes it.
 */
export async function* publishFile(
  { publishing }: StateFolders,
  signal: AbortSignal,
  makeFile: MakeFile,
): AsyncGenerator<PublishedPart> {
  const file = join(publishing, `${randomUUID()}.qcow2`);
  try {
    yield* make(file, makeFile);
    yield* read(file, signal);
  } finally {
    await rm(file, { force: true });
  }
}

async function* make(file: string, makeFile: MakeFile): AsyncGenerator<PublishedPart> {
  let [fraction, isMade] = [0, false];
  const onProgress = (done: number): void => {
    fraction = done;
  };
  const made = makeFile(file, onProgress).finally(() => {
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
