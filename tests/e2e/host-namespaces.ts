import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readlinkSync, rmdirSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { eventually } from './eventually.js';

const exec = promisify(execFile);
const NETNS_FOLDER = '/run/netns';
/** Of a process that was sent SIGKILL. */
const END_MS_MAX = 20_000;

/** A host of its own as far as its network goes: interfaces, rules and namespaces. */
export interface HostNamespace {
  readonly address: string;
  /** What a program is started with to run there. */
  readonly through: readonly string[];
  /** Where this machine finds the host's files, what is mounted there alone included. */
  readonly root: string;
  run(...command: readonly string[]): Promise<string>;
  /** All that networks leave on a host where others can see it. */
  traces(): Promise<string[]>;
  /** Kills all that runs there, in namespaces that were made inside too: what serves a network outlives the agent that started it. */
  endProcesses(): Promise<void>;
}

export interface HostNamespaces {
  /** Of this machine, where a control plane listens. */
  readonly address: string;
  readonly hosts: readonly HostNamespace[];
  close(): Promise<void>;
}

const run = async (...command: readonly string[]): Promise<string> => {
  const [program = '', ...args] = command;
  return (await exec(program, args)).stdout;
};

/** `count` hosts on one wire with this machine. `name`: of the wire, at most ten characters. Needs root. */
export async function openHostNamespaces(name: string, count: number): Promise<HostNamespaces> {
  const holders: ChildProcess[] = [];
  const hadFolder = existsSync(NETNS_FOLDER);
  const subnet = `10.251.${process.pid % 250}`;
  const close = async (): Promise<void> => {
    for (const holder of holders) {
      await endProcessesOf(holder);
      holder.kill('SIGKILL');
      if (holder.exitCode === null && holder.signalCode === null) await once(holder, 'exit');
    }
    await run('ip', 'link', 'delete', name).catch(() => undefined);
    if (!hadFolder && existsSync(NETNS_FOLDER)) rmdirSync(NETNS_FOLDER);
  };
  try {
    await run('ip', 'link', 'add', name, 'type', 'bridge');
    await run('ip', 'address', 'add', `${subnet}.254/24`, 'dev', name);
    await run('ip', 'link', 'set', name, 'up');
    const hosts: HostNamespace[] = [];
    for (let index = 1; index <= count; index += 1) {
      hosts.push(await openHost(holders, { bridge: name, cable: `${name}${index}`, address: `${subnet}.${index}` }));
    }
    return { address: `${subnet}.254`, hosts, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openHost(
  holders: ChildProcess[],
  at: { bridge: string; cable: string; address: string },
): Promise<HostNamespace> {
  // Names of namespaces that are made inside are its own.
  const script = `mkdir -p ${NETNS_FOLDER} && mount -t tmpfs tmpfs ${NETNS_FOLDER} && ip link set lo up && echo ready && exec sleep infinity`;
  const holder = spawn('unshare', ['--net', '--mount', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  holders.push(holder);
  await once(holder.stdout, 'data');
  const through = ['nsenter', '--target', String(holder.pid), '--net', '--mount'];
  const inside = (...command: readonly string[]) => run(...through, ...command);
  await run('ip', 'link', 'add', at.cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(holder.pid));
  await run('ip', 'link', 'set', at.cable, 'master', at.bridge, 'up');
  await inside('ip', 'address', 'add', `${at.address}/24`, 'dev', 'eth0');
  await inside('ip', 'link', 'set', 'eth0', 'up');
  return {
    address: at.address,
    through,
    root: `/proc/${holder.pid}/root`,
    run: inside,
    endProcesses: () => endProcessesOf(holder),
    traces: async () => [
      ...(await inside('ip', '-br', 'link')).split('\n').map((line) => line.split(/[ @]/)[0] ?? ''),
      await inside('ip', '-4', '-br', 'address'),
      await inside('ip', '-4', 'route', 'show', 'table', 'all'),
      await inside('nft', 'list', 'ruleset'),
      await inside('ip', 'netns', 'list'),
    ],
  };
}

async function endProcessesOf({ pid: holderPid, exitCode, signalCode }: ChildProcess): Promise<void> {
  if (holderPid === undefined || exitCode !== null || signalCode !== null) return;
  await eventually('nothing runs in the namespaces of the host', END_MS_MAX, () => {
    const networks = networksOf(holderPid);
    const pids = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && Number(name) !== holderPid && networks.has(networkOf(name)))
      .map(Number);
    for (const pid of pids) endProcess(pid);
    return pids.length === 0;
  });
}

/** Its own, and those that were made inside, as readlink(2) names them below /proc. */
function networksOf(holderPid: number): Set<string> {
  const folder = `/proc/${holderPid}/root${NETNS_FOLDER}`;
  // What has only just started is still in this machine's own network, and sees the names of this machine.
  const deviceOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.dev;
  const names = deviceOf(folder) === deviceOf(NETNS_FOLDER) ? [] : readdirSync(folder);
  const inside = names.map((name) => `net:[${statSync(`${folder}/${name}`).ino}]`);
  const others = ['', networkOf('self')];
  return new Set([networkOf(String(holderPid)), ...inside].filter((network) => !others.includes(network)));
}

/** Empty: it has ended. */
function networkOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return '';
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended meanwhile
  }
}
