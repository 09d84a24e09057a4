// Guest images are built once per recipe: the cache's file name carries a hash over everything that goes into one.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { buildBootSectorDisk } from './boot-sector-image.mjs';
import { buildDebianDisk } from './debian-image.mjs';
import { buildTinyDisk } from './tiny-image.mjs';

const run = promisify(execFile);
const CHECKOUT_DIR = path.resolve(import.meta.dirname, '../..');
const RECIPE_HASH_LENGTH = 16;

const BUILDERS = { tiny: buildTinyDisk, 'boot-sector': buildBootSectorDisk, debian: buildDebianDisk };
/** Of those, the ones that are built within seconds and without root: what tests and demonstrations use. */
export const QUICK_IMAGE_NAMES = ['tiny', 'boot-sector'];

const recipeDirOf = (name) => path.join(CHECKOUT_DIR, 'deploy/images', name);

/** Another image's builder builds nothing of this one. */
const isOfOther = (name, entry) =>
  Object.keys(BUILDERS).some((other) => other !== name && entry === `${other}-image.mjs`);

/** Everything in the recipe's folder and everything that builds. Debian's packages are taken as they are on that day. */
const hashRecipe = (name) => {
  const hash = createHash('sha256');
  for (const dir of [recipeDirOf(name), import.meta.dirname]) {
    for (const file of readdirSync(dir)
      .filter((entry) => !entry.endsWith('.d.mts') && !entry.endsWith('.md') && !isOfOther(name, entry))
      .sort()) {
      hash.update(`${file}\0`).update(readFileSync(path.join(dir, file)));
    }
  }
  return hash.digest('hex').slice(0, RECIPE_HASH_LENGTH);
};

const readCached = (file) => {
  const sha256File = `${file}.sha256`;
  if (!existsSync(file) || !existsSync(sha256File)) return null;
  return { path: file, sha256: readFileSync(sha256File, 'utf8').trim(), isCached: true };
};

/** Images of earlier recipes. Whoever has one open keeps it until it is closed. */
const removeOthers = (name, keptFile) => {
  const names = readdirSync(IMAGE_CACHE_DIR).filter((entry) => entry.startsWith(`${name}-`));
  for (const entry of names) {
    const file = path.join(IMAGE_CACHE_DIR, entry);
    if (!file.startsWith(keptFile)) rmSync(file, { recursive: true, force: true });
  }
};

/** Where the images of this checkout are kept. */
export const IMAGE_CACHE_DIR = path.join(CHECKOUT_DIR, '.kvorum/cache/images');

/** The image if it is in the cache, else null. */
export const findGuestImage = (name) => readCached(path.join(IMAGE_CACHE_DIR, `${name}-${hashRecipe(name)}.qcow2`));

/**
 * Builds the image `name` unless the cache has it. Two builders at once are safe: each works in a folder of its own and the
 * result appears by a rename. Returns { path, sha256, isCached }.
 */
export const ensureGuestImage = async (name, { report = () => {} } = {}) => {
  const build = BUILDERS[name];
  if (!build) throw new Error(`no image is called ${name}; there are: ${Object.keys(BUILDERS).join(', ')}`);
  const cached = findGuestImage(name);
  if (cached) return cached;
  mkdirSync(IMAGE_CACHE_DIR, { recursive: true, mode: 0o700 });
  const workDir = mkdtempSync(path.join(IMAGE_CACHE_DIR, `building-${name}-`));
  try {
    const raw = path.join(workDir, 'disk.raw');
    const qcow2 = path.join(workDir, 'disk.qcow2');
    await build({ file: raw, recipeDir: recipeDirOf(name), workDir, report });
    await run('qemu-img', ['convert', '-c', '-O', 'qcow2', raw, qcow2]);
    const sha256 = createHash('sha256').update(readFileSync(qcow2)).digest('hex');
    const file = path.join(IMAGE_CACHE_DIR, `${name}-${hashRecipe(name)}.qcow2`);
    writeFileSync(path.join(workDir, 'sha256'), `${sha256}\n`);
    renameSync(qcow2, file);
    renameSync(path.join(workDir, 'sha256'), `${file}.sha256`);
    removeOthers(name, file);
    return { path: file, sha256, isCached: false };
  } finally {
    rmSync(workDir, { recursive: true, force: true });
  }
};
