import path from 'node:path';
import { CHECKOUT_DIR } from '../checkout.mjs';
import { runCommand } from '../progress/run-command.mjs';
import { generateSources } from './generate-sources.mjs';

/** Generated sources, then all packages and apps to their dist/. */
export const buildProject = async ({ onLine, signal } = {}) => {
  await generateSources({ onLine, signal });
  onLine?.('compiling');
  const tsc = path.join(CHECKOUT_DIR, 'node_modules/.bin/tsc');
  await runCommand([tsc, '-b', 'tsconfig.json'], { log: 'build', onLine, signal });
};
