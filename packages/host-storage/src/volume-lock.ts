import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type FileHandle, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '@kvorum/schema';

/** Exit code that we have flock(1) use for "not had in time": 75 is EX_TEMPFAIL of sysexits.h. */
const TIMED_OUT_EXIT_CODE = 75;
/** The number under which the child sees our descriptor: the first after stdin, stdout and stderr. */
const LOCK_DESCRIPTOR = 3;
/** Most verbs take milliseconds; whoever copies or merges for longer is to be told of, not waited for. */
const LOCK_WAIT_S = 20;

export interface HeldLocks {
  /** For tools to hold them too. */
  readonly descriptors: readonly number[];
}

/**
 * One verb at a time per volume, among all processes and hosts that reach the pool.
 *
 * WHY: Node has no flock(2). flock(1) of util-linux locks a descriptor that it inherits.
 * SAFE: the lock belongs to the open file description, shared with flock(1) and with the tools a verb runs. The kernel drops it
 * when the last of them is gone, on SIGKILL too; so a tool that outlives its agent by a moment keeps the next one out.
 * NFS carries flock(2) as a lock of the server (Linux >= 2.6.12, flock(2) NOTES).
 */
export class VolumeLocks {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Runs it while holding all of them. Throws `unavailable` when one is not had in time. */
  async holding<T>(
    volumeIds: readonly string[],
    run: (held: HeldLocks) => Promise<T>,
    waitS = LOCK_WAIT_S,
  ): Promise<T> {
    const files: FileHandle[] = [];
    try {
      // In one order everywhere: two that want the same ones cannot wait for each other.
      for (const id of [...new Set(volumeIds)].sort()) files.push(await this.#lock(id, waitS));
      return await run({ descriptors: files.map(({ fd }) => fd) });
    } finally {
      for (const file of files) await file.close();
    }
  }

  /** Only while holding it. Who waits for it meanwhile sees that the name is gone, and opens a new file. */
  async forget(volumeId: string): Promise<void> {
    await rm(this.#pathOf(volumeId), { force: true });
  }

  async #lock(volumeId: string, waitS: number): Promise<FileHandle> {
    for (;;) {
      const file = await open(this.#pathOf(volumeId), 'a', 0o600);
      try {
        await waitForLock(file, volumeId, waitS);
        if (await isStillNamed(file, this.#pathOf(volumeId))) return file;
        await file.close();
      } catch (thrown) {
        await file.close();
        throw thrown;
      }
    }
  }

  #pathOf(volumeId: string): string {
    return join(this.#folder, `${volumeId}.lock`);
  }
}

async function waitForLock(file: FileHandle, volumeId: string, waitS: number): Promise<void> {
  const args = ['--exclusive', '--timeout', String(waitS), '-E', `${TIMED_OUT_EXIT_CODE}`, `${LOCK_DESCRIPTOR}`];
  const child = spawn('flock', args, { stdio: ['ignore', 'ignore', 'ignore', file.fd] });
  const [exitCode] = (await once(child, 'exit').catch((thrown: unknown) => {
    throw new DomainError('host_fault', 'flock of util-linux could not be run', { cause: thrown });
  })) as [number | null];
  if (exitCode === TIMED_OUT_EXIT_CODE) {
    throw new DomainError('unavailable', `volume ${volumeId} is being changed; try again when that has ended`);
  }
  if (exitCode !== 0) throw new DomainError('host_fault', `flock could not lock volume ${volumeId}`);
}

async function isStillNamed(file: FileHandle, path: string): Promise<boolean> {
  const [ours, named] = await Promise.all([file.stat(), stat(path).catch(() => null)]);
  return named !== null && named.ino === ours.ino && named.dev === ours.dev;
}
