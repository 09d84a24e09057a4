import { readdirSync, readFileSync } from 'node:fs';

/** What makes a process the one that was meant. A bare pid is reused by the kernel and proves nothing. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat: clock ticks after boot (proc_pid_stat(5)). Text, as it may pass 2^53. */
  readonly startTime: string;
  /** /proc/sys/kernel/random/boot_id: start times only compare within one boot. */
  readonly bootId: string;
}

const BOOT_ID_PATH = '/proc/sys/kernel/random/boot_id';
const START_TIME_FIELD = 22;
const STATE_FIELD = 3;

export const readBootId = (): string => readFileSync(BOOT_ID_PATH, 'utf8').trim();

/** The process's start time, or null when it has ended (a zombie has: only its exit code is left). */
export function readStartTime(pid: number): string | null {
  const stat = readProc(pid, 'stat');
  return stat === null ? null : parseStartTime(stat);
}

/** The second field is the command in parentheses and may itself hold spaces and parentheses: count from the last one. */
export function parseStartTime(stat: string): string | null {
  const fields = stat
    .slice(stat.lastIndexOf(')') + 1)
    .trim()
    .split(' ');
  // fields[0] is field 3.
  const state = fields[STATE_FIELD - 3];
  const startTime = fields[START_TIME_FIELD - 3];
  if (state === undefined || startTime === undefined || !/^\d+$/.test(startTime)) return null;
  return state === 'Z' || state === 'X' ? null : startTime;
}

export const identityOf = (pid: number): ProcessIdentity | null => {
  const startTime = readStartTime(pid);
  return startTime === null ? null : { pid, startTime, bootId: readBootId() };
};

export function isSameProcess(expected: ProcessIdentity): boolean {
  return expected.bootId === readBootId() && readStartTime(expected.pid) === expected.startTime;
}

/** The arguments of a process; empty when it has ended. */
export function readCommandLine(pid: number): string[] {
  const text = readProc(pid, 'cmdline') ?? '';
  return text.split('\0').slice(0, -1);
}

/** Pids of all processes whose arguments satisfy the test. One pass over /proc: for recovery only. */
export function findProcesses(matches: (commandLine: readonly string[]) => boolean): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => matches(readCommandLine(pid)));
}

function readProc(pid: number, file: 'stat' | 'cmdline'): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    // ENOENT and ESRCH: it ended. EACCES cannot happen for these two files, which all may read.
    return null;
  }
}
