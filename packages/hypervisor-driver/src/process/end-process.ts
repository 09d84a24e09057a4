import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '@kvorum/schema';
import { endedOf, Pidfd } from './pidfd.js';
import { readCommandLine } from './process-identity.js';

/** SIGKILL takes effect at once, except in uninterruptible disk waits; then the host needs a look. */
export const KILL_CONFIRM_MS = 10_000;
const KILL_ROUND_MS = 2;

/**
 * Kills the process if its arguments still satisfy the test, and resolves when it is gone. Its pidfd is opened before
 * the test, so the process that was looked at is the one that is killed. Throws `host_fault` if it does not go.
 */
export async function endProcess(pid: number, isMeant: (commandLine: readonly string[]) => boolean): Promise<void> {
  const pidfd = Pidfd.open(pid);
  if (pidfd === null) return;
  try {
    if (!isMeant(readCommandLine(pid))) return;
    pidfd.kill();
    const giveUpAtMs = performance.now() + KILL_CONFIRM_MS;
    while (endedOf([pidfd]).length === 0) {
      if (performance.now() > giveUpAtMs) {
        throw new DomainError('host_fault', `process ${pid} has not ended ${KILL_CONFIRM_MS} ms after SIGKILL`);
      }
      await sleep(KILL_ROUND_MS);
    }
  } finally {
    pidfd.close();
  }
}
