import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { DomainError } from '@kvorum/schema';
import { KILL_CONFIRM_MS } from '../process/end-process.js';
import { TOOL_ENVIRONMENT } from '../process/run-tool.js';
import { type Inheritance, withInheritance } from '../process/with-inheritance.js';
import { isSettledWithin } from '../process/within.js';
import type { ExitStatus } from './exit-reason.js';

export interface QemuChildOptions {
  readonly logFd: number;
  /** What it is given open: the first becomes FIRST_FD of the child, the others follow. */
  readonly fds: readonly number[];
  /** Null: that of this process. */
  readonly uid: number | null;
  readonly cwd: string;
  readonly inheritance: Inheritance;
}

/** The first descriptor after standard input, output and error. */
export const FIRST_FD = 3;

/**
 * A QEMU process as the child of this one, in a session of its own (setsid): signals to the agent do not reach it, and
 * it lives on when the agent ends. All listeners are there before the event loop turns, so that no end goes unheard.
 */
export class QemuChild {
  /** Resolves when the process has ended and been reaped. */
  readonly exitStatus: Promise<ExitStatus>;
  /** Resolves when the program could not be started at all; `pid` is undefined then. */
  readonly spawnError: Promise<Error>;
  readonly #child: ChildProcess;
  #status: ExitStatus | null = null;

  constructor(path: string, args: readonly string[], { logFd, fds, uid, cwd, inheritance }: QemuChildOptions) {
    const child = {
      detached: true,
      stdio: ['ignore', logFd, logFd, ...fds],
      // Entered before the user is changed: paths relative to it need no right to pass the folders above (credentials(7)).
      cwd,
      // libuv drops supplementary groups with the user (uv_process_options_t).
      ...(uid === null ? {} : { uid, gid: uid }),
      env: TOOL_ENVIRONMENT,
    } satisfies SpawnOptions;
    this.#child = withInheritance(inheritance, () => spawn(path, args, child));
    this.#child.unref();
    this.spawnError = new Promise((resolve) => this.#child.once('error', resolve));
    this.exitStatus = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#status = { code, signal };
        resolve(this.#status);
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Null while it runs. */
  get status(): ExitStatus | null {
    return this.#status;
  }

  /** SIGKILL, and waits until it is gone. An unreaped child keeps its pid, so that nothing else can be hit. */
  async kill(): Promise<void> {
    if (this.#child.pid === undefined) return;
    this.#child.kill('SIGKILL');
    if (await isSettledWithin(this.exitStatus, KILL_CONFIRM_MS)) return;
    throw new DomainError('host_fault', `process ${this.#child.pid} has not ended ${KILL_CONFIRM_MS} ms after SIGKILL`);
  }
}
