// What both `npm run up` and `npm test` need first. Runs before `npm ci`, so it may import nothing that is not Node's own.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { CHECKOUT_DIR } from './checkout.mjs';
import { buildProject } from './generate/build-project.mjs';
import { ensureGuestImage } from './images/guest-image.mjs';
import { runCommand } from './progress/run-command.mjs';
import { isStampCurrent, whenChanged, writeStamp } from './stamp.mjs';
import { findMissingPackages, installMissingPackages } from './system/debian-packages.mjs';
import { ensureNullDevice } from './system/null-device.mjs';

const NODE_VERSION_MIN = [20, 19];

export const requireNode = () => {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > NODE_VERSION_MIN[0] || (major === NODE_VERSION_MIN[0] && minor >= NODE_VERSION_MIN[1])) return;
  throw new Error(
    `Node ${NODE_VERSION_MIN.join('.')} or newer is needed; this is ${process.versions.node} (${process.execPath})`,
  );
};

const LOCK_FILE = path.join(CHECKOUT_DIR, 'package-lock.json');
/** npm's own copy of what it installed. */
const INSTALLED_FILE = path.join(CHECKOUT_DIR, 'node_modules/.package-lock.json');
const STAMP_NAME = 'npm-ci';
const INSTALL_INPUTS = ['package-lock.json', 'node_modules/.package-lock.json'];

const packagesIn = (file) => JSON.parse(readFileSync(file, 'utf8')).packages;

/** Does node_modules hold all that the lock says? Packages of other platforms are optional and may be missing. */
const holdsWhatIsLocked = () => {
  const installed = packagesIn(INSTALLED_FILE);
  return Object.entries(packagesIn(LOCK_FILE)).every(([name, wanted]) => {
    if (name === '' || wanted.link || !name.includes('node_modules/')) return true;
    const found = installed[name];
    return found ? found.version === wanted.version && found.integrity === wanted.integrity : wanted.optional === true;
  });
};

/** Nothing to do after our own `npm ci` with this lock, nor after anybody else's install that came to the same. */
const isInstalled = () =>
  existsSync(INSTALLED_FILE) && (isStampCurrent(STAMP_NAME, INSTALL_INPUTS) || holdsWhatIsLocked());

const installNodePackages = async (report, signal) => {
  let fetchedCount = 0;
  const onLine = (line) => {
    if (!line.includes('http fetch')) return;
    fetchedCount += 1;
    report(`${fetchedCount} packages fetched`);
  };
  const command = ['npm', 'ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=http'];
  await runCommand(command, { log: 'npm-ci', onLine, signal });
  writeStamp(STAMP_NAME, INSTALL_INPUTS);
};

const BUILD_INPUTS = ['packages', 'apps', 'prisma', 'package-lock.json', 'tsconfig.json', 'tsconfig.base.json'];
const BUILD_OUTPUTS = ['apps/api/dist/main.js', 'apps/node-agent/dist/main.js', 'node_modules/.bin/kvorum'];

/**
 * Brings machine and checkout to where things run: Debian packages, npm packages, build, guest images. Each step only if
 * something is missing or has changed; returns the images by name.
 */
export const prepare = async ({ progress, purpose, images, signal }) => {
  requireNode();
  const repaired = ensureNullDevice();
  if (repaired !== null) progress.note(`  ${repaired}`);
  if (findMissingPackages(purpose).length > 0) {
    await progress.step('install Debian packages', async (report) => {
      const installed = await installMissingPackages(purpose, { note: progress.note, report, signal });
      return { note: installed.join(' ') };
    });
  }
  if (!isInstalled()) {
    await progress.step('install npm packages', (report) => installNodePackages(report, signal));
  }
  await progress.step('build', async (report) => {
    const run = () => buildProject({ onLine: report, signal });
    const hasRun = await whenChanged('build', { inputs: BUILD_INPUTS, outputs: BUILD_OUTPUTS }, run);
    return hasRun ? {} : { note: 'nothing changed' };
  });
  const built = {};
  for (const name of images) {
    built[name] = await progress.step(`guest image ${name}`, async (report) => {
      const image = await ensureGuestImage(name, { report });
      return { ...image, note: image.isCached ? 'nothing changed' : 'from Debian packages' };
    });
  }
  return built;
};
