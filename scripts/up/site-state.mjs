// What `up` remembers about the site of this checkout, all below .kvorum.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { STATE_DIR } from '../checkout.mjs';
import { identityOf, isAlive } from '../services/process-identity.mjs';

export const POSTGRES_DIR = path.join(STATE_DIR, 'postgres');
export const CONTROL_PLANE_DIR = path.join(STATE_DIR, 'control-plane');
export const HOSTS_DIR = path.join(STATE_DIR, 'hosts');
export const TOKEN_FILE = path.join(STATE_DIR, 'admin.token');
const UP_FILE = path.join(STATE_DIR, 'up.json');
const SITE_FILE = path.join(STATE_DIR, 'site.json');
const PROCESSES_FILE = path.join(STATE_DIR, 'processes.json');

export const hostDirOf = (name) => path.join(HOSTS_DIR, name);

/** Short, because sockets lie below it; a hash of the state folder, so that two checkouts do not meet. */
export const runDirOf = (name) => {
  const hash = createHash('sha256').update(hostDirOf(name)).digest('hex').slice(0, 8);
  return process.geteuid() === 0 ? `/run/kvorum/${hash}` : `/tmp/kvorum-${hash}`;
};

const readJson = (file) => {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return null; // none yet, or cut off by a crash: all of these files can be made anew
  }
};

const writeJson = (file, value) => {
  writeFileSync(`${file}.new`, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
};

/** The `up` that runs in this checkout, or null. */
export const findRunningUp = () => {
  const identity = readJson(UP_FILE);
  return identity && isAlive(identity) ? identity : null;
};

/** Makes this process the checkout's `up`. Throws when another one is. */
export const claimCheckout = () => {
  const running = findRunningUp();
  if (running) {
    throw new Error(
      `\`npm run up\` already runs in this checkout (process ${running.pid}). Use it, end it with Ctrl-C there, or with: npm run down`,
    );
  }
  rmSync(UP_FILE, { force: true });
  // Exclusive: of two that start at once, one fails here.
  writeFileSync(UP_FILE, JSON.stringify(identityOf(process.pid)), { mode: 0o600, flag: 'wx' });
};

export const releaseCheckout = () => rmSync(UP_FILE, { force: true });

/** { ports: { api, gateway, enrol }, hosts: { name: { gateway } } } */
export const readSite = () => ({ ports: {}, hosts: {}, ...readJson(SITE_FILE) });
export const writeSite = (site) => writeJson(SITE_FILE, site);

/** Processes to end if `up` cannot do it itself: [{ name, pid, startTime }]. */
export const readProcesses = () => readJson(PROCESSES_FILE) ?? [];
export const rememberProcess = (name, identity) => {
  const others = readProcesses().filter((known) => known.name !== name && isAlive(known));
  writeJson(PROCESSES_FILE, [...others, { name, ...identity }]);
};
export const forgetProcesses = () => rmSync(PROCESSES_FILE, { force: true });

export const readToken = () => {
  if (!existsSync(TOKEN_FILE)) {
    throw new Error(`${TOKEN_FILE} is gone, and only its hash is stored. Start afresh with: npm run reset`);
  }
  return readFileSync(TOKEN_FILE, 'utf8').trim();
};
