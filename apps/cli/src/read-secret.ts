import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import type { CliIo } from './cli.js';
import { firstLineOf } from './stored-login.js';

/** Longer than any token; what is piped in beyond it is not one. */
const SECRET_BYTES_MAX = 4096;

/** A secret from the terminal, unseen while typed, or else the first line of standard input. Never from an argument. */
export const readSecret = async (io: CliIo, prompt: string): Promise<string> =>
  firstLineOf(io.stdin.isTTY === true ? await readUnseen(io, prompt) : await readPiped(io), 'standard input');

function readUnseen(io: CliIo, prompt: string): Promise<string> {
  io.stderr.write(prompt);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: io.stdin, output: nowhere, terminal: true });
  return new Promise((resolve) => {
    const answer = (text: string) => {
      io.stderr.write('\n');
      resolve(text);
      lines.close();
    };
    lines.once('line', answer);
    // Ctrl-C and Ctrl-D: no token, which the caller refuses.
    lines.once('close', () => resolve(''));
  });
}

async function readPiped(io: CliIo): Promise<string> {
  let text = '';
  for await (const chunk of io.stdin) {
    text += String(chunk);
    if (text.length > SECRET_BYTES_MAX || text.includes('\n')) break;
  }
  return text;
}
