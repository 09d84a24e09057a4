import { spawn } from 'node:child_process';
import { DomainError } from '@kvorum/schema';

/** `qemu-img info` is some KiB, a `check` of a broken image many lines; more is not an answer we could use. */
const OUTPUT_BYTES_MAX = 1024 * 1024;
const WORDS_LENGTH_MAX = 1000;
const ENVIRONMENT = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8', TZ: 'UTC' } as const;
/** `qemu-img -p` (qemu-progress.c): "    (12.34/100%)" and a carriage return. */
const PROGRESS = /\((\d+\.\d+)\/100%\)/g;
/** `rbd` (ProgressContext in tools/rbd/Utils.cc), on standard error: "Image flatten: 12% complete...". */
const RBD_PROGRESS = /: (\d+)% complete\.\.\./g;

export interface ToolRun {
  /** Where relative names start: the folder of layers. */
  readonly folder: string;
  readonly timeoutMs: number;
  /** Descriptors of locks that the tool holds as well, for as long as it lives. */
  readonly lockDescriptors: readonly number[];
  /** What it reads on its standard input; left out: nothing. */
  readonly input?: string;
  readonly signal?: AbortSignal;
  /** Of the work done, 0 to 1. */
  readonly onProgress?: (fraction: number) => void;
}

export interface ToolEnd {
  readonly exitCode: number;
  readonly stdout: string;
  readonly words: string;
}

/**
 * Runs a tool without a shell to its end, whatever its exit code. `setpriv` has the kernel kill it when this process dies
 * (PR_SET_PDEATHSIG, prctl(2)): nobody is left who writes to a layer that the next agent works on. Throws `deadline_exceeded`,
 * `cancelled`, and `host_fault` where it cannot be started.
 */
export function endTool(command: readonly string[], run: ToolRun): Promise<ToolEnd> {
  return new Promise((resolve, reject) => {
    const [tool = ''] = command;
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--no-new-privs', '--', ...command], {
      cwd: run.folder,
      env: ENVIRONMENT,
      stdio: [run.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', ...run.lockDescriptors],
    });
    // It may end without having read all.
    child.stdin?.on('error', () => undefined).end(run.input);
    let stdout = '';
    let stderr = '';
    let stopped: DomainError | null = null;
    const stop = (why: DomainError): void => {
      stopped ??= why;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(() => {
      stop(new DomainError('deadline_exceeded', `${tool} did not end within ${run.timeoutMs} ms`));
    }, run.timeoutMs);
    const cancel = (): void => stop(new DomainError('cancelled', `${tool} was cancelled`));
    run.signal?.addEventListener('abort', cancel, { once: true });
    if (run.signal?.aborted === true) cancel();
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const percent = [...text.matchAll(PROGRESS)].at(-1)?.[1];
      if (percent !== undefined) run.onProgress?.(Number(percent) / 100);
      else if (stdout.length < OUTPUT_BYTES_MAX) stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      const percent = [...text.matchAll(RBD_PROGRESS)].at(-1)?.[1];
      if (percent !== undefined) run.onProgress?.(Number(percent) / 100);
      if (stderr.length < OUTPUT_BYTES_MAX) stderr += text;
    });
    const end = (): void => {
      clearTimeout(timer);
      run.signal?.removeEventListener('abort', cancel);
    };
    child.on('error', (error) => {
      end();
      reject(new DomainError('host_fault', `${tool} cannot be run: ${error.message}`, { cause: error }));
    });
    child.on('close', (code, signal) => {
      end();
      if (stopped !== null) return reject(stopped);
      if (code === null) return reject(new DomainError('host_fault', `${tool} was ended by ${signal}`));
      resolve({ exitCode: code, stdout, words: stderr.trim().slice(0, WORDS_LENGTH_MAX) });
    });
  });
}

/** As `endTool`; an exit code other than 0 throws: `no_capacity` for want of room, `conflict_state` for a file in use. */
export async function runTool(command: readonly string[], run: ToolRun): Promise<string> {
  const { exitCode, stdout, words } = await endTool(command, run);
  if (exitCode === 0) return stdout;
  const [tool = ''] = command;
  if (/No space left on device|Disk quota exceeded/.test(words)) {
    throw new DomainError('no_capacity', 'the storage pool is full: make room, or use another pool');
  }
  // block/file-posix.c, raw_check_lock_bytes
  if (/Failed to get .*lock/.test(words)) {
    throw new DomainError('conflict_state', 'the volume is open in another process: stop the VM that uses it');
  }
  throw new DomainError('host_fault', `${tool} failed: ${words || `exit code ${exitCode}`}`);
}
