import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DomainError } from '@kvorum/schema';
import { namespaceName } from './object-names.js';
import type { DnsmasqFiles } from './render-dnsmasq.js';
import type { RunCommand } from './run-command.js';

const END_MS_MAX = 5_000;
const END_ROUND_MS = 20;

/** Folder of a network's dnsmasq. It runs as a user of its own, who reads the files again on a signal. */
export const dnsmasqFolder = (stateDir: string, networkId: string): string => join(stateDir, 'dnsmasq', networkId);

/** Writes the files, and makes the process of the network run with them: started, signalled, or left alone. */
export async function ensureDnsmasq(
  run: RunCommand,
  stateDir: string,
  networkId: string,
  files: DnsmasqFiles,
): Promise<void> {
  const folder = dnsmasqFolder(stateDir, networkId);
  await mkdir(folder, { recursive: true });
  // Whatever the umask of the agent is.
  for (const path of [join(stateDir, 'dnsmasq'), folder]) await chmod(path, 0o755);
  const isConfigNew = await writeIfNew(join(folder, 'config'), files.config);
  const isHostsNew = await writeIfNew(join(folder, 'hosts'), files.hosts);
  const isNamesNew = await writeIfNew(join(folder, 'names'), files.names);
  const pid = await findProcess(folder);
  if (pid !== null && !isConfigNew) {
    if (isHostsNew || isNamesNew) process.kill(pid, 'SIGHUP');
    return;
  }
  if (pid !== null) await end(folder, pid);
  const config = `--conf-file=${join(folder, 'config')}`;
  await run(['ip', 'netns', 'exec', namespaceName(networkId), 'dnsmasq', config]);
}

/** Ends the process of the network, if there is one, and removes its files. */
export async function removeDnsmasq(stateDir: string, networkId: string): Promise<void> {
  const folder = dnsmasqFolder(stateDir, networkId);
  const pid = await findProcess(folder);
  if (pid !== null) await end(folder, pid);
  await rm(folder, { recursive: true, force: true });
}

/** Networks for which there are files, and perhaps a process. */
export async function listDnsmasqs(stateDir: string): Promise<string[]> {
  return readdir(join(stateDir, 'dnsmasq')).catch(ifMissing([]));
}

async function writeIfNew(path: string, text: string): Promise<boolean> {
  if ((await readFile(path, 'utf8').catch(ifMissing(null))) === text) return false;
  await writeFile(`${path}.new`, text);
  await chmod(`${path}.new`, 0o644);
  await rename(`${path}.new`, path);
  return true;
}

/** A pid alone may be somebody else's by now: its command line must name our file. Null: it does not run. */
async function findProcess(folder: string): Promise<number | null> {
  const pid = Number(await readFile(join(folder, 'pid'), 'utf8').catch(ifMissing('0')));
  if (!Number.isSafeInteger(pid) || pid <= 1) return null;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(ifMissing(''));
  return commandLine.split('\0').includes(`--conf-file=${join(folder, 'config')}`) ? pid : null;
}

async function end(folder: string, pid: number): Promise<void> {
  process.kill(pid, 'SIGTERM');
  const giveUpAtMs = performance.now() + END_MS_MAX;
  while ((await findProcess(folder)) === pid) {
    if (performance.now() > giveUpAtMs) throw new DomainError('host_fault', `dnsmasq, process ${pid}, does not end`);
    await sleep(END_ROUND_MS);
  }
}

/** A process that ends while its command line is read gives ESRCH. */
const ifMissing =
  <Value>(value: Value) =>
  (error: NodeJS.ErrnoException): Value => {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return value;
    throw error;
  };
