// Runs a program with its output in a log file. The last line it wrote is what a progress display shows; the last lines are
// what an error shows.
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { CHECKOUT_DIR, LOG_DIR, makeStateDir } from '../checkout.mjs';

const ERROR_TAIL_LINES = 25;
const ENDED_SIGNALS_WAIT_MS = 5_000;

/** A program of ours failed: the message says which, with the end of its output. */
export class CommandFailed extends Error {}

const linesOf = (onLine) => {
  let rest = '';
  return (chunk) => {
    const parts = (rest + chunk).split(/[\r\n]/);
    rest = parts.pop() ?? '';
    for (const line of parts) if (line.trim() !== '') onLine(line.trim());
  };
};

/**
 * Resolves when `command` has ended with 0; otherwise rejects with CommandFailed. `log` names the file in .kvorum/logs.
 * `onLine` gets every line of its output. Aborting `signal` ends it.
 */
export const runCommand = (command, { log, onLine = () => {}, env = {}, cwd = CHECKOUT_DIR, signal } = {}) =>
  new Promise((resolve, reject) => {
    makeStateDir();
    const logFile = path.join(LOG_DIR, `${log}.log`);
    const stream = createWriteStream(logFile, { flags: 'a', mode: 0o600 });
    stream.write(`\n$ ${command.join(' ')}\n`);
    const tail = [];
    const read = linesOf((line) => {
      tail.push(line);
      if (tail.length > ERROR_TAIL_LINES) tail.shift();
      onLine(line);
    });
    const [program, ...args] = command;
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    const abort = () => {
      child.kill('SIGTERM');
      setTimeout(() => child.kill('SIGKILL'), ENDED_SIGNALS_WAIT_MS).unref();
    };
    signal?.addEventListener('abort', abort, { once: true });
    for (const output of [child.stdout, child.stderr]) {
      output.setEncoding('utf8');
      output.on('data', (chunk) => {
        stream.write(chunk);
        read(chunk);
      });
    }
    const fail = (reason) => {
      const shown = tail.map((line) => `    ${line}`).join('\n');
      reject(new CommandFailed(`${command.join(' ')}: ${reason}\n${shown}\n  whole output: ${logFile}`));
    };
    child.once('error', (error) => fail(error.code === 'ENOENT' ? `there is no program ${program}` : error.message));
    child.once('close', (code, signalName) => {
      signal?.removeEventListener('abort', abort);
      stream.end();
      if (signal?.aborted) reject(signal.reason);
      else if (code === 0) resolve();
      else fail(signalName ? `ended by ${signalName}` : `ended with code ${code}`);
    });
  });
