// npm run reset: `down`, and removes the site's data: database, certificate authority, hosts, VMs' disks, images, token, logs.
// What takes long to make and holds no data stays: npm packages, the build, the cache of guest images. --yes does not ask.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { STATE_DIR } from './checkout.mjs';
import { removePostgres } from './services/postgres.mjs';
import { bringDown } from './up/bring-down.mjs';
import { POSTGRES_DIR } from './up/site-state.mjs';

const KEPT_NAMES = new Set(['cache', 'stamps']);

const confirm = async () => {
  if (process.argv.includes('--yes') || !process.stdin.isTTY) return true;
  const prompt = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await prompt.question(`Remove the site in ${STATE_DIR} with all its VMs and disks? [y/N] `);
  prompt.close();
  return /^y(es)?$/i.test(answer.trim());
};

try {
  if (await confirm()) {
    await bringDown();
    removePostgres({ dataDir: POSTGRES_DIR });
    const names = existsSync(STATE_DIR) ? readdirSync(STATE_DIR).filter((name) => !KEPT_NAMES.has(name)) : [];
    for (const name of names) rmSync(path.join(STATE_DIR, name), { recursive: true, force: true });
    console.log(`the site is removed; ${STATE_DIR}/cache is kept`);
  } else {
    console.log('nothing was changed');
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
