import { spawn } from 'node:child_process';
import { chmod, chown, lchown, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '@kvorum/schema';
import { endProcess } from '../process/end-process.js';
import { Pidfd } from '../process/pidfd.js';
import {
  findProcesses,
  identityOf,
  isSameProcess,
  type ProcessIdentity,
  readCommandLine,
} from '../process/process-identity.js';
import { TOOL_ENVIRONMENT } from '../process/run-tool.js';
import { readTail } from '../qemu/read-tail.js';
import type { RunFolder } from '../qemu/run-folder.js';

/** 20 ms are usual; it makes a new TPM's seeds at first. */
const START_TIMEOUT_MS = 10_000;
const START_ROUND_MS = 5;
const LOG_BYTES_MAX = 2048;
const STATE_FOLDER_MODE = 0o700;

/** What a TPM is between two runs, relative to the VM's own folder; the name is swtpm's (swtpm_nvstore_dir.c). */
export const TPM_STATE_FILE = 'tpm/tpm2-00.permall';

export interface SwtpmPlan {
  readonly swtpmPath: string;
  readonly folder: RunFolder;
  /** The VM's own folder; the TPM's state lies in `tpm` below it. */
  readonly stateFolder: string;
  /** Whom it runs as; null: as this process. */
  readonly uid: number | null;
  readonly logFd: number;
}

/**
 * The arguments. Named relative to the VM's folder, as its user may pass through the folders above but not look.
 * `--terminate`: it ends when QEMU, which alone holds its data channel, has ended; also while no agent runs.
 */
export const swtpmArguments = (folder: RunFolder): string[] => [
  'socket',
  '--tpm2',
  '--tpmstate',
  'dir=tpm,mode=0600',
  '--ctrl',
  controlArgument(folder),
  '--pid',
  `file=${folder.tpmPid}`,
  '--terminate',
];

const controlArgument = (folder: RunFolder): string => `type=unixio,path=${folder.tpmSocket},mode=0600`;

/** A process is the TPM of the folder when it was given the folder's socket. */
const isTpmOf =
  (folder: RunFolder) =>
  (commandLine: readonly string[]): boolean =>
    commandLine.includes(controlArgument(folder));

/**
 * Starts the VM's TPM in a session of its own, and resolves when it listens. Throws `host_fault` with its own words when it
 * does not; then it is gone.
 */
export async function startSwtpm(plan: SwtpmPlan): Promise<ProcessIdentity> {
  const { swtpmPath, folder, stateFolder, uid, logFd } = plan;
  // Its options are separated by commas, and it knows no escape.
  if (folder.path.includes(','))
    throw new DomainError('host_fault', 'a VM with a TPM cannot have a comma in its run folder');
  await makeStateFolder(join(stateFolder, 'tpm'), uid);
  const child = spawn(swtpmPath, swtpmArguments(folder), {
    detached: true,
    stdio: ['ignore', logFd, logFd],
    cwd: stateFolder,
    ...(uid === null ? {} : { uid, gid: uid }),
    env: TOOL_ENVIRONMENT,
  });
  child.unref();
  let failure: string | null = null;
  child.once('error', ({ message }) => {
    failure = message;
  });
  child.once('exit', (code, signal) => {
    failure = signal === null ? `exit code ${code}` : `ended by ${signal}`;
  });
  const giveUpAtMs = performance.now() + START_TIMEOUT_MS;
  // It writes its pid once its socket listens (swtpm.c).
  while (failure === null && (await readFile(folder.tpmPid, 'utf8').catch(() => '')) === '') {
    if (performance.now() > giveUpAtMs) failure = `it did not listen within ${START_TIMEOUT_MS} ms`;
    else await sleep(START_ROUND_MS);
  }
  const identity = failure === null && child.pid !== undefined ? identityOf(child.pid) : null;
  if (identity !== null) return identity;
  child.kill('SIGKILL');
  const words = (await readTail(folder.processLog, LOG_BYTES_MAX).catch(() => '')).trim();
  throw new DomainError(
    'host_fault',
    `the VM's TPM did not start: ${failure ?? 'it ended'}; ${words || 'it said nothing'}`,
  );
}

async function makeStateFolder(path: string, uid: number | null): Promise<void> {
  await mkdir(path, { recursive: true, mode: STATE_FOLDER_MODE });
  await chmod(path, STATE_FOLDER_MODE);
  if (uid === null) return;
  await chown(path, uid, uid);
  // State that came from another host is root's. The folder is the VM's user's: no link in it is followed.
  await lchown(join(dirname(path), TPM_STATE_FILE), uid, uid).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code !== 'ENOENT') throw thrown;
  });
}

/** The process of a record, or null when it has ended. As openRecordedProcess in find-run.ts, and for the same reason. */
export function openTpm(folder: RunFolder, identity: ProcessIdentity): Pidfd | null {
  const pidfd = Pidfd.open(identity.pid);
  if (pidfd === null) return null;
  if (isTpmOf(folder)(readCommandLine(pidfd.pid)) && isSameProcess(identity)) return pidfd;
  pidfd.close();
  return null;
}

/** Ends the TPM of the folder. Without a record of it (`undefined`: the record is lost) all processes are looked through. */
export async function endTpmOf(folder: RunFolder, identity: ProcessIdentity | null | undefined): Promise<void> {
  if (identity === null) return;
  const pids = identity === undefined ? findProcesses(isTpmOf(folder)) : [identity.pid];
  for (const pid of pids) await endProcess(pid, isTpmOf(folder));
}
