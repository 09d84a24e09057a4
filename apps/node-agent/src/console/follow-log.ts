import { constants, type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { CONSOLE_LOG_NAME } from '@kvorum/hypervisor-driver';
import { DomainError, KIB, MIB } from '@kvorum/schema';

const PART_BYTES = 32 * KIB;
/** A viewer further behind has stopped reading; the log itself keeps 16 MiB (trim-console.ts). */
const LAG_BYTES_MAX = MIB;
/** How much of the newest output one gets who has fallen behind. */
const CATCH_UP_BYTES = 64 * KIB;
/** If a change should ever go unheard (inotify(7): queues overflow), it is seen this much later. */
const LOOK_AGAIN_MS = 1_000;

/**
 * What the guest prints on its console from now on, and `backlogBytes` of what it printed before. The log is the only buffer: a reader
 * that is slow holds up nobody, and one that falls too far behind goes on with the newest output and is told so. Ends when `signal`
 * aborts, with what was printed until then.
 */
export async function followLog(
  runDir: string,
  backlogBytes: number,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const path = join(runDir, CONSOLE_LOG_NAME);
  const file = await openLog(path);
  try {
    // Now, not when it is first read: nothing that is printed from here on is missed.
    const from = Math.max(0, (await file.stat()).size - backlogBytes);
    return partsOf(file, from, new Changes(path, signal), signal);
  } catch (thrown) {
    await file.close();
    throw thrown;
  }
}

async function* partsOf(
  file: FileHandle,
  from: number,
  changes: Changes,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  let offset = from;
  try {
    for (;;) {
      const isLast = signal.aborted;
      const { size } = await file.stat();
      // Shorter than before: whoever wrote it, it begins anew.
      if (size < offset) offset = 0;
      if (size - offset > LAG_BYTES_MAX) {
        yield Buffer.from(`\r\n[${size - offset - CATCH_UP_BYTES} bytes were skipped]\r\n`);
        offset = size - CATCH_UP_BYTES;
      }
      const { bytesRead, buffer } = await file.read(Buffer.alloc(PART_BYTES), 0, PART_BYTES, offset);
      offset += bytesRead;
      if (bytesRead > 0) yield buffer.subarray(0, bytesRead);
      else if (isLast) return;
      else await changes.next();
    }
  } finally {
    changes.close();
    await file.close();
  }
}

/** Only a regular file, never through a link: the hypervisor's process, which a guest might have taken over, owns it. */
async function openLog(path: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((cause) => {
    throw new DomainError('host_fault', 'the console log of the VM cannot be read', { cause });
  });
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new DomainError('host_fault', 'the console log of the VM is not a file');
}

/** Tells that a file has changed since it was asked last. */
class Changes {
  readonly #watcher: FSWatcher;
  readonly #signal: AbortSignal;
  #hasChanged = true;
  #wake: () => void = () => undefined;

  constructor(path: string, signal: AbortSignal) {
    this.#signal = signal;
    this.#watcher = watch(path, { persistent: false }, () => this.#note());
    // A watch that fails leaves the slower look.
    this.#watcher.on('error', () => undefined);
    signal.addEventListener('abort', this.#note);
  }

  readonly #note = (): void => {
    this.#hasChanged = true;
    this.#wake();
  };

  async next(): Promise<void> {
    if (!this.#hasChanged && !this.#signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LOOK_AGAIN_MS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#hasChanged = false;
  }

  close(): void {
    this.#watcher.close();
    this.#signal.removeEventListener('abort', this.#note);
  }
}
