// Finds what a site of this checkout left running. QEMU processes are known by the run folder on their command line, whose
// name comes from this checkout's path; nobody else's can match.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readlinkSync, rmdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { commandLineOf, endProcess, identityOf } from '../services/process-identity.mjs';
import { HOSTS_DIR, hostDirOf, readProcesses, runDirOf } from './site-state.mjs';

const SERVICE_STOP_SIGNALS = [
  ['SIGTERM', 15_000],
  ['SIGKILL', 5_000],
];
const QEMU_STOP_SIGNALS = [
  ['SIGTERM', 5_000], // QEMU ends cleanly on it: caches are flushed
  ['SIGKILL', 5_000],
];

const hostNames = () => (existsSync(HOSTS_DIR) ? readdirSync(HOSTS_DIR) : []);

const programOf = (pid) => {
  try {
    return path.basename(readlinkSync(`/proc/${pid}/exe`));
  } catch {
    return '';
  }
};

export const findQemuProcesses = () => {
  const runDirs = hostNames().map(runDirOf);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => programOf(pid).startsWith('qemu-system-'))
    .filter((pid) => commandLineOf(pid).some((argument) => runDirs.some((runDir) => argument.includes(`${runDir}/`))))
    .map(identityOf)
    .filter((identity) => identity !== null);
};

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

/** Control groups of VMs that ended without their agent; folders of the kernel go by rmdir alone, and only when empty. */
const removeControlGroups = (name) => {
  const parent = `kvorum-${createHash('sha256').update(hostDirOf(name)).digest('hex').slice(0, 8)}`;
  for (const hierarchy of ['', 'cpu', 'memory', 'pids']) {
    const folder = path.join('/sys/fs/cgroup', hierarchy, parent);
    if (!existsSync(folder)) continue;
    const groups = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    for (const group of [...groups.map((entry) => path.join(folder, entry.name)), folder]) {
      try {
        rmdirSync(group);
      } catch {
        // Something still runs in it: the next agent, or the next `down`, removes it.
      }
    }
  }
};

export const removeRunDirs = (names) => {
  for (const name of names) {
    rmSync(runDirOf(name), { recursive: true, force: true });
    removeControlGroups(name);
  }
};
