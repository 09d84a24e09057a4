import { spawn } from 'node:child_process';
import type { Server } from 'node:net';
import { DomainError } from '@kvorum/schema';
import { namespaceName } from '../object-names.js';
import type { Command } from '../plan-links.js';

/** A Node that starts, binds and hands over. */
const TAKE_MS_MAX = 20_000;
const WORDS_LENGTH_MAX = 500;
/** Ends when whoever asked for it has taken the socket, or is gone. */
const PROGRAM = `
  const server = require('node:net').createServer();
  process.on('disconnect', () => process.exit());
  server.on('error', ({ message }) => { console.error(message); process.exit(1); });
  server.listen({ host: process.argv[1], port: Number(process.argv[2]) }, () => process.send('listening', server));
`;

/**
 * A socket that listens in the namespace of a network, and is served here: a socket stays where it was made, whoever has it.
 * `prefix`: what commands are run through. Throws `host_fault`.
 */
export function takeListener(prefix: Command, networkId: string, host: string, port: number): Promise<Server> {
  const inside = [...prefix, 'ip', 'netns', 'exec', namespaceName(networkId)];
  const [program = '', ...args] = [...inside, process.execPath, '--eval', PROGRAM, host, String(port)];
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      timeout: TAKE_MS_MAX,
      killSignal: 'SIGKILL',
    });
    let words = '';
    child.stderr?.on('data', (bytes: Buffer) => {
      words = `${words}${bytes}`.slice(0, WORDS_LENGTH_MAX);
    });
    const fail = (why: string): void =>
      reject(new DomainError('host_fault', `metadata cannot be served in ${namespaceName(networkId)}: ${why}`));
    child.once('error', ({ message }) => fail(message));
    child.once('close', () => fail(words.trim() || 'no socket was handed over'));
    child.once('message', (_message, server) => {
      resolve(server as Server);
      child.disconnect();
    });
  });
}
