import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '@kvorum/schema';

/** Exit code that we have flock(1) use for "somebody else holds it": 75 is EX_TEMPFAIL of sysexits.h. */
const HELD_EXIT_CODE = 75;
/** The number under which the child sees our descriptor: the first after stdin, stdout and stderr. */
const LOCK_DESCRIPTOR = 3;

/**
 * The right to be the one agent of a state folder.
 *
 * WHY: Node has no flock(2). flock(1) of util-linux locks a descriptor that it inherits.
 * SAFE: the lock belongs to the open file description, which the child shares with us; it stays when the child ends
 * and the kernel drops it when our last descriptor closes, also on kill -9. Node opens files with O_CLOEXEC, so no VM
 * inherits it, and the file is never removed, so no two agents can lock different files of the same name.
 */
export class StateLock {
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Throws `conflict_state` when another agent holds the folder. */
  static async acquire(stateDir: string): Promise<StateLock> {
    const path = join(stateDir, 'agent.lock');
    const file = await open(path, 'a', 0o600);
    try {
      const child = spawn('flock', ['--exclusive', '--nonblock', '-E', `${HELD_EXIT_CODE}`, `${LOCK_DESCRIPTOR}`], {
        stdio: ['ignore', 'ignore', 'ignore', file.fd],
      });
      const [exitCode] = (await once(child, 'exit')) as [number | null];
      if (exitCode === HELD_EXIT_CODE) {
        throw new DomainError(
          'conflict_state',
          `another agent is running on ${stateDir}: stop it first, or give this one a --state-dir of its own`,
        );
      }
      if (exitCode !== 0) throw new DomainError('host_fault', `flock could not lock ${path} (exit code ${exitCode})`);
      return new StateLock(file);
    } catch (thrown) {
      await file.close();
      if (thrown instanceof DomainError) throw thrown;
      throw new DomainError('host_fault', 'flock of util-linux could not be run', { cause: thrown });
    }
  }

  async release(): Promise<void> {
    await this.#file.close();
  }
}
