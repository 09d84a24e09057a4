import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openRunner, type RunCommand } from '../src/run-command.js';

const exec = promisify(execFile);
/** Whether they are kept apart is seen after so long; to be connected they have more time, for machines are busy. */
const PROBE_MS = 1_500;
const REACH_MS = 20_000;

/** A machine with a network of its own: no packet of a test is seen outside. */
export interface Machine {
  readonly pid: number;
  readonly run: RunCommand;
  /** Runs a program of this folder inside. */
  program(name: string, ...args: readonly string[]): Promise<string>;
  start(name: string, ...args: readonly string[]): Promise<void>;
  /** What a TCP server says to it: from which address it came. */
  reach(host: string, port: number, ...localAddress: string[]): Promise<string>;
  /** The same, of who should be kept apart: "nothing" soon. */
  probe(host: string, port: number, ...localAddress: string[]): Promise<string>;
  end(): void;
}

/** `/run` is its own as well: namespaces that are made inside have names of their own. */
export async function openMachine(): Promise<Machine> {
  const script = 'mount -t tmpfs tmpfs /run && ip link set lo up && echo ready && exec sleep infinity';
  const holder = spawn('unshare', ['--net', '--mount', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const pid = holder.pid;
  if (pid === undefined || holder.stdout === null) throw new TypeError('unshare did not start');
  await once(holder.stdout, 'data');
  const enter = ['nsenter', '--target', String(pid), '--net', '--mount'];
  const [nsenter = '', ...into] = enter;
  const commandOf = (name: string, args: readonly string[]) => [
    ...into,
    process.execPath,
    join(import.meta.dirname, name),
    ...args,
  ];
  const started: ChildProcess[] = [];
  const program = async (name: string, ...args: readonly string[]): Promise<string> =>
    (await exec(nsenter, commandOf(name, args))).stdout.trim();
  return {
    pid,
    run: openRunner(enter),
    program,
    start: async (name, ...args) => {
      const child = spawn(nsenter, commandOf(name, args), { stdio: ['ignore', 'pipe', 'inherit'] });
      started.push(child);
      await once(child.stdout, 'data');
    },
    reach: (host, port, ...from) => program('connect-tcp.mjs', host, String(port), String(REACH_MS), ...from),
    probe: (host, port, ...from) => program('connect-tcp.mjs', host, String(port), String(PROBE_MS), ...from),
    end: () => {
      for (const child of [...started, holder]) child.kill('SIGKILL');
    },
  };
}
