// A process of the site: control plane or agent. Its log goes to .kvorum/logs; one JSON line on its standard output says that it
// is ready.
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { CHECKOUT_DIR, LOG_DIR } from '../checkout.mjs';
import { endProcess, identityOf, isAlive } from '../services/process-identity.mjs';
import { rememberProcess } from './site-state.mjs';

const READY_TIMEOUT_MS = 90_000; // an emulated or busy machine migrates a database slowly
const LOG_TAIL_LINES = 20;
const STOP_SIGNALS = [
  ['SIGTERM', 15_000],
  ['SIGKILL', 5_000],
];

const tailOf = (file) => readFileSync(file, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');

const readyLine = (child, event) =>
  new Promise((resolve) => {
    let text = '';
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (chunk) => {
      text += chunk;
      for (const line of text.split('\n').slice(0, -1)) {
        try {
          const message = JSON.parse(line);
          if (message.event === event) resolve(message);
        } catch {
          // a line that is not ours
        }
      }
      text = text.slice(text.lastIndexOf('\n') + 1);
    });
  });

/**
 * Starts `node <script> <args>` and waits for its ready line `{"event": <readyEvent>, ...}`. The process has its own process
 * group, so that Ctrl-C does not reach it before we stop things in order, and the kernel ends it should we be killed.
 * Returns { name, ready, exited, stop() }.
 */
export const startService = async ({ name, script, args = [], env = {}, readyEvent, signal }) => {
  const logFile = path.join(LOG_DIR, `${name}.log`);
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'TERM', '--', process.execPath, path.join(CHECKOUT_DIR, script), ...args],
    {
      cwd: CHECKOUT_DIR,
      env: { ...process.env, ...env },
      detached: true,
      stdio: ['ignore', 'pipe', log],
    },
  );
  closeSync(log);
  const exited = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signalName) =>
      resolve(signalName ? `ended by ${signalName}` : `ended with code ${code}`),
    );
  });
  const identity = child.pid ? identityOf(child.pid) : null;
  if (identity) rememberProcess(name, identity);
  const stop = async () => {
    if (identity && isAlive(identity)) await endProcess(identity, STOP_SIGNALS);
  };
  let timer;
  const outcome = await Promise.race([
    readyLine(child, readyEvent).then((ready) => ({ ready })),
    exited.then((how) => ({ failure: how })),
    new Promise((resolve) => {
      timer = setTimeout(() => resolve({ failure: `not ready after ${READY_TIMEOUT_MS / 1000} s` }), READY_TIMEOUT_MS);
      signal.addEventListener('abort', () => resolve({ aborted: true }), { once: true });
    }),
  ]);
  clearTimeout(timer);
  if (outcome.ready) return { name, ready: outcome.ready, exited, stop };
  await stop();
  if (outcome.aborted) throw signal.reason;
  throw new Error(`${name} did not start: ${outcome.failure}. The end of ${logFile}:\n${tailOf(logFile)}`);
};

/** What to say when a service ended that should have gone on. */
export const describeDeath = (name, how) => {
  const logFile = path.join(LOG_DIR, `${name}.log`);
  return `${name} ${how} although nobody stopped it. The end of ${logFile}:\n${tailOf(logFile)}`;
};
