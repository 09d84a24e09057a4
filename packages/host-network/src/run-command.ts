import { execFile } from 'node:child_process';
import { DomainError } from '@kvorum/schema';
import type { Command } from './plan-links.js';

/** Runs a program to its end and returns what it printed. Throws `host_fault` with its words. */
export type RunCommand = (command: Command, input?: string) => Promise<string>;

/** The slowest is nft with all rules of a host: well below a second for thousands. */
const COMMAND_MS_MAX = 30_000;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;
const WORDS_LENGTH_MAX = 500;

/** `prefix`: a program that runs the others somewhere else, such as nsenter. */
export const openRunner =
  (prefix: Command = []): RunCommand =>
  (command, input = '') =>
    new Promise((resolve, reject) => {
      const [program = '', ...args] = [...prefix, ...command];
      const options = { timeout: COMMAND_MS_MAX, maxBuffer: OUTPUT_BYTES_MAX, killSignal: 'SIGKILL' as const };
      const child = execFile(program, args, options, (error, stdout, stderr) => {
        if (error === null) {
          resolve(stdout);
          return;
        }
        const words = (stderr.trim() || error.message).slice(0, WORDS_LENGTH_MAX);
        reject(new DomainError('host_fault', `${command.join(' ')}: ${words}`, { cause: error }));
      });
      // A program that ends without reading breaks the pipe; its own end says more.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(input);
    });
