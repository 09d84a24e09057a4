// Finds what a site of this checkout left running. QEMU processes are known by the disk on their command line, which lies
// below this checkout's state folder; nobody else's can match.
import { readdirSync, readlinkSync, rmSync } from 'node:fs';
import path from 'node:path';
import { commandLineOf, endProcess, identityOf } from '../services/process-identity.mjs';
import { HOSTS_DIR, readProcesses, runDirOf } from './site-state.mjs';

const SERVICE_STOP_SIGNALS = [
  ['SIGTERM', 15_000],
  ['SIGKILL', 5_000],
];
const QEMU_STOP_SIGNALS = [
  ['SIGTERM', 5_000], // QEMU ends cleanly on it: caches are flushed
  ['SIGKILL', 5_000],
];

const programOf = (pid) => {
  try {
    return path.basename(readlinkSync(`/proc/${pid}/exe`));
  } catch {
    return '';
  }
};

export const findQemuProcesses = () =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => programOf(pid).startsWith('qemu-system-'))
    .filter((pid) => commandLineOf(pid).some((argument) => argument.includes(`${HOSTS_DIR}/`)))
    .map(identityOf)
    .filter((identity) => identity !== null);

/** Ends every QEMU of this checkout; returns how many there were. The agents must be gone, or they would see crashes. */
export const endQemuProcesses = async () => {
  const found = findQemuProcesses();
  await Promise.all(found.map((identity) => endProcess(identity, QEMU_STOP_SIGNALS)));
  return found.length;
};

/** Ends remembered services, agents first, then the control plane they report to; returns the names of those that ran. */
export const endServices = async () => {
  const ended = [];
  for (const { name, ...identity } of readProcesses().reverse()) {
    if ((await endProcess(identity, SERVICE_STOP_SIGNALS)) !== null) ended.push(name);
  }
  return ended;
};

export const removeRunDirs = (hostNames) => {
  for (const name of hostNames) rmSync(runDirOf(name), { recursive: true, force: true });
};
