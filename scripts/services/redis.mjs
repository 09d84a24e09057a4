// A private Redis from Debian's package redis-tools: own folder, own port on 127.0.0.1, own random password, nothing written to disk.
// It neither needs nor disturbs a server that already runs on the machine.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findFreePort } from './free-port.mjs';
import { endProcess, identityOf } from './process-identity.mjs';

const START_TIMEOUT_MS = 20_000;
const START_ATTEMPTS = 5; // another process may take the free port we found before Redis does
const ANSWER_TIMEOUT_MS = 1_000;
const PASSWORD_BYTES = 24;
const POLL_MS = 20;
const STOP_SIGNALS = [
  ['SIGTERM', 5_000],
  ['SIGKILL', 5_000],
];

/** True once the server on `port` knows our password, which also shows that it is ours. */
const isServing = (port, password) =>
  new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(`AUTH ${password}\r\n`));
    const settle = (isOurs) => {
      socket.destroy();
      resolve(isOurs);
    };
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => settle(false));
    socket.once('data', (data) => settle(data.toString().startsWith('+OK')));
    socket.once('error', () => settle(false));
  });

// Debian's redis-tools carries the whole server as redis-check-rdb; it goes by the name it is called by. The package
// redis-server only adds that other name, and starts a server on port 6379, which nobody asked for.
const PROGRAM = '/usr/bin/redis-check-rdb';

const linkProgram = (folder) => {
  if (!existsSync(PROGRAM)) throw new Error(`there is no ${PROGRAM}; install it with: apt-get install redis-tools`);
  const link = path.join(folder, 'redis-server');
  rmSync(link, { force: true });
  symlinkSync(PROGRAM, link);
  return link;
};

const launch = (folder, port, password) => {
  // The password is in a file because a command line is readable by everybody.
  const settings = [
    `bind 127.0.0.1`,
    `port ${port}`,
    `requirepass ${password}`,
    `dir ${folder}`,
    'save ""',
    'appendonly no',
  ];
  const configFile = path.join(folder, 'redis.conf');
  writeFileSync(configFile, `${settings.join('\n')}\n`, { mode: 0o600 });
  const log = openSync(path.join(folder, 'redis.log'), 'a', 0o600);
  try {
    return spawn('setpriv', ['--pdeathsig', 'KILL', '--', linkProgram(folder), configFile], {
      cwd: folder,
      detached: true,
      stdio: ['ignore', log, log],
    });
  } finally {
    closeSync(log);
  }
};

const waitUntilServing = async (child, port, password) => {
  let failure = null;
  child.once('error', (error) => {
    failure = error.message;
  });
  child.once('exit', (code, signal) => {
    failure ??= `it ended with ${signal ?? `code ${code}`}`;
  });
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (failure === null && !(await isServing(port, password))) {
    if (Date.now() > deadline) failure = 'it did not answer in time';
    await delay(POLL_MS);
  }
  return failure;
};

/** One attempt on one port; throws with the server's log if it does not come up. */
const startOn = async (folder, port, password) => {
  const child = launch(folder, port, password);
  const failure = await waitUntilServing(child, port, password);
  const identity = child.pid ? identityOf(child.pid) : null;
  const stop = async () => {
    if (identity) await endProcess(identity, STOP_SIGNALS);
  };
  if (failure === null) {
    child.unref();
    return { pid: child.pid, stop };
  }
  await stop();
  const log = path.join(folder, 'redis.log');
  throw new Error(`redis-server did not start: ${failure}. ${log}:\n${readFileSync(log, 'utf8')}`);
};

/**
 * Starts a Redis in `dataDir` that ends with the calling process, even if that is killed.
 * Returns { url, port, pid, stop(), restart() }; `url` carries the password. After `restart` it is empty, at the same address.
 */
export const startRedis = async ({ dataDir }) => {
  const folder = path.resolve(dataDir);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const password = randomBytes(PASSWORD_BYTES).toString('base64url');
  for (let attempt = 1; ; attempt += 1) {
    const port = await findFreePort();
    try {
      let server = await startOn(folder, port, password);
      return {
        url: `redis://:${password}@127.0.0.1:${port}`,
        port,
        pid: server.pid,
        stop: () => server.stop(),
        restart: async () => {
          await server.stop();
          server = await startOn(folder, port, password);
        },
      };
    } catch (error) {
      if (attempt >= START_ATTEMPTS || error.message.includes('ENOENT')) throw error;
    }
  }
};
