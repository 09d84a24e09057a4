import { isAbsolute, join, normalize } from 'node:path';
import { CONSOLE_LOG_NAME } from '../driver.js';

/**
 * sun_path holds 108 bytes with its terminating NUL (unix(7)). 60 leave room for the longest socket name here, and are
 * a bound that the agent can check before it promises a VM.
 */
export const RUN_FOLDER_BYTES_MAX = 60;

/** The files of one run. All but the console log go with the run. */
export interface RunFolder {
  readonly path: string;
  /** Of the sockets alone: QEMU binds them, and then nobody but the agent may enter. */
  readonly sockets: string;
  readonly monitorSocket: string;
  readonly guestAgentSocket: string;
  /** Of the serial console's far ends; QEMU adds `.in` and `.out` (chardev `pipe`). */
  readonly serialLine: string;
  readonly serialInput: string;
  readonly serialOutput: string;
  /** Of the VM's screen, where it has one. */
  readonly displaySocket: string;
  /** There for the time of a screenshot. */
  readonly screenshot: string;
  /** Control channel of the VM's TPM (swtpm), and where it writes its pid once it listens. */
  readonly tpmSocket: string;
  readonly tpmPid: string;
  /** Keys of disks in Ceph, there until QEMU has read them. */
  readonly keys: string;
  readonly consoleLog: string;
  /** What QEMU and the TPM write on standard output and error. */
  readonly processLog: string;
  /** Which process this is; see run-record.ts. */
  readonly record: string;
}

export function runFolder(path: string): RunFolder {
  return {
    path,
    sockets: join(path, 'io'),
    monitorSocket: join(path, 'io', 'qmp.sock'),
    guestAgentSocket: join(path, 'io', 'guest-agent.sock'),
    serialLine: join(path, 'io', 'serial'),
    serialInput: join(path, 'io', 'serial.in'),
    serialOutput: join(path, 'io', 'serial.out'),
    displaySocket: join(path, 'io', 'vnc.sock'),
    screenshot: join(path, 'screen.png'),
    tpmSocket: join(path, 'io', 'tpm.sock'),
    tpmPid: join(path, 'io', 'tpm.pid'),
    keys: join(path, 'keys'),
    consoleLog: join(path, CONSOLE_LOG_NAME),
    processLog: join(path, 'qemu.log'),
    record: join(path, 'process.json'),
  };
}

/** Why the path cannot be a run folder, or null. */
export function runFolderRefusal(path: string): string | null {
  const refusal = pathRefusal(path);
  if (refusal !== null) return refusal;
  return Buffer.byteLength(path) > RUN_FOLDER_BYTES_MAX ? `is longer than ${RUN_FOLDER_BYTES_MAX} bytes` : null;
}

/** Why a path cannot be given to QEMU, or null. Relative and unnormalised paths would mean different files to us and it. */
export function pathRefusal(path: string): string | null {
  if (!isAbsolute(path)) return 'is not an absolute path';
  if (/\p{Cc}/u.test(path)) return 'contains control characters';
  return normalize(path) === path && !path.endsWith('/') ? null : 'is not a normalised path';
}
