import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';

const READY_MS_MAX = 60_000;
const STOP_MS_MAX = 20_000;

export interface Child {
  readonly pid: number;
  /** The line of JSON with which the process said that it is ready. */
  readonly ready: Record<string, unknown>;
  isRunning(): boolean;
  /** Resolves when the process has ended by itself or by a signal. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
  kill(): Promise<void>;
}

/** Starts one of our processes and waits for its line `{"event": …}` on stdout. Its log goes to `logPath`. */
export async function startChild(
  script: string,
  options: {
    args?: string[];
    env?: Record<string, string>;
    /** A program that becomes ours somewhere else, with its arguments. */
    through?: readonly string[];
    logPath: string;
    event: string;
  },
): Promise<Child> {
  const [program = '', ...args] = [...(options.through ?? []), process.execPath, script, ...(options.args ?? [])];
  const child = spawn(program, args, {
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log = createWriteStream(options.logPath, { flags: 'a' });
  child.stderr.pipe(log, { end: false });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const ready = await readReadyLine(child, options.event, options.logPath);
  child.stdout.pipe(log, { end: false });
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  const endBy = async (signal: NodeJS.Signals) => {
    if (isRunning()) child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    await ended;
    clearTimeout(timer);
  };
  return {
    pid: child.pid ?? 0,
    ready,
    isRunning,
    ended,
    stop: () => endBy('SIGTERM'),
    kill: () => endBy('SIGKILL'),
  };
}

function readReadyLine(child: ChildProcess, event: string, logPath: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail(`said nothing for ${READY_MS_MAX} ms`), READY_MS_MAX);
    const lines = createInterface({ input: child.stdout! });
    const fail = (why: string) => {
      clearTimeout(timer);
      reject(new Error(`process ${why}; see ${logPath}`));
    };
    child.once('exit', (code, signal) => fail(`ended with ${code ?? signal} before it was ready`));
    lines.on('line', (line) => {
      if (!line.startsWith('{')) return;
      const parsed = JSON.parse(line) as Record<string, unknown>;
      if (parsed['event'] !== event) return;
      clearTimeout(timer);
      lines.close();
      resolve(parsed);
    });
  });
}
