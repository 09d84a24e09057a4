// A pid alone proves nothing: the kernel hands it to somebody else as soon as its process is gone. Every process that is
// remembered in a file is therefore remembered as pid + start time, and nothing is signalled before both agree.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 20;

/** Start time in clock ticks since boot (field 22 of /proc/<pid>/stat), or null when there is no such process or it is a zombie. */
export const startTimeOf = (pid) => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command name (field 2) may hold spaces and brackets: count from behind its last bracket.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : Number(fields[19]);
  } catch {
    return null;
  }
};

/** The command line of a process as a list; empty when it is gone or a kernel thread. */
export const commandLineOf = (pid) => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
};

/** What to remember of a process; null when it is gone already. */
export const identityOf = (pid) => {
  const startTime = startTimeOf(pid);
  return startTime === null ? null : { pid, startTime };
};

/** Is exactly this process still there? */
export const isAlive = (identity) => startTimeOf(identity.pid) === identity.startTime;

const waitUntilGone = async (identity, timeoutMs) => {
  const deadline = Date.now() + timeoutMs;
  while (isAlive(identity)) {
    if (Date.now() > deadline) return false;
    await delay(POLL_MS);
  }
  return true;
};

/**
 * Sends the signals one after the other until the process is gone: `[['SIGTERM', 10_000], ['SIGKILL', 5_000]]` waits up to
 * 10 s after the first. Returns the signal that ended it, null when it was gone before.
 */
export const endProcess = async (identity, signals) => {
  for (const [signal, waitMs] of signals) {
    if (!isAlive(identity)) return null;
    try {
      process.kill(identity.pid, signal);
    } catch (error) {
      if (error.code === 'ESRCH') return null;
      throw error;
    }
    if (await waitUntilGone(identity, waitMs)) return signal;
  }
  throw new Error(`process ${identity.pid} (${commandLineOf(identity.pid)[0] ?? '?'}) does not end`);
};
