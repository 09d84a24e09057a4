import { chmodSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { CHECKOUT_DIR } from '../checkout.mjs';
import { runCommand } from '../progress/run-command.mjs';
import { generateSources } from './generate-sources.mjs';

const CLI_FILE = 'apps/cli/dist/main.js';

/**
 * Makes `npx kvorum` work. npm links a workspace's programs when it installs, and on a fresh clone the program is not built by
 * then; tsc writes it as an ordinary file.
 */
const linkCli = () => {
  chmodSync(path.join(CHECKOUT_DIR, CLI_FILE), 0o755);
  const link = path.join(CHECKOUT_DIR, 'node_modules/.bin/kvorum');
  rmSync(link, { force: true });
  symlinkSync(path.join('../..', CLI_FILE), link);
};

/** Generated sources, then all packages and apps to their dist/. */
export const buildProject = async ({ onLine, signal } = {}) => {
  await generateSources({ onLine, signal });
  onLine?.('compiling');
  const tsc = path.join(CHECKOUT_DIR, 'node_modules/.bin/tsc');
  await runCommand([tsc, '-b', 'tsconfig.json'], { log: 'build', onLine, signal });
  linkCli();
};
