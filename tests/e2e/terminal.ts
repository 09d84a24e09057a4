import { spawn } from 'node:child_process';
import path from 'node:path';
import type { Rest } from './rest.js';

const CLI_MAIN = path.resolve(import.meta.dirname, '../../apps/cli/dist/main.js');
const STTY = /^terminal (before|after): (.*)$/gm;

export interface Terminal {
  /** All that was shown so far. */
  text(): string;
  type(text: string): void;
  /** Exit code of the command, and whether the terminal was left as it was found. */
  readonly ended: Promise<{ readonly exitCode: number | null; readonly isRestored: boolean }>;
  close(): void;
}

/**
 * Runs `kvorum` in a pseudo-terminal of its own, as a person does; `script` of util-linux, which every Debian has, makes it.
 * The token reaches it by environment, as a file.
 */
export function openTerminal(rest: Pick<Rest, 'url'>, tokenFile: string, ...args: readonly string[]): Terminal {
  const words = [process.execPath, CLI_MAIN, ...args].map((word) => `'${word}'`).join(' ');
  // The shell outlives a Ctrl-C, which ends the command (a trap is not inherited, unlike an ignored signal).
  const session = `trap : INT; echo "terminal before: $(stty -g)"; ${words}; code=$?; echo "terminal after: $(stty -g)"; exit $code`;
  const child = spawn('script', ['--quiet', '--return', '--command', session, '/dev/null'], {
    env: { ...process.env, KVORUM_URL: rest.url, KVORUM_TOKEN_FILE: tokenFile, TERM: 'xterm', SHELL: '/bin/sh' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (part: Buffer) => {
    text += part.toString('latin1').replaceAll('\r\n', '\n');
  });
  return {
    text: () => text,
    type: (typed) => child.stdin.write(typed),
    ended: new Promise((resolve) => {
      child.once('close', (exitCode) => {
        const [before, after] = [...text.matchAll(STTY)].map(([, , modes]) => modes);
        resolve({ exitCode, isRestored: before !== undefined && before === after });
      });
    }),
    close: () => child.kill('SIGKILL'),
  };
}
