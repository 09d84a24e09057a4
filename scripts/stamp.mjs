// "Has this changed since the last time?" answered by a hash over the content of files, kept in .kvorum/stamps.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CHECKOUT_DIR, STATE_DIR } from './checkout.mjs';

const STAMP_DIR = path.join(STATE_DIR, 'stamps');
const SKIPPED_NAMES = new Set(['node_modules', 'dist', 'generated']);

const filesBelow = (entry) => {
  const found = readdirSync(entry, { withFileTypes: true }).filter((child) => !SKIPPED_NAMES.has(child.name));
  return found.flatMap((child) => {
    const file = path.join(entry, child.name);
    return child.isDirectory() ? filesBelow(file) : child.isFile() ? [file] : [];
  });
};

/** Hash over names and content of files and of all files below folders; paths relative to the checkout, which must exist. */
export const hashInputs = (inputs) => {
  const hash = createHash('sha256').update(`node ${process.versions.modules}\0`);
  for (const input of inputs) {
    const absolute = path.join(CHECKOUT_DIR, input);
    if (!existsSync(absolute)) continue;
    const files = path.extname(absolute) === '' ? filesBelow(absolute).sort() : [absolute];
    for (const file of files)
      hash
        .update(`${path.relative(CHECKOUT_DIR, file)}\0`)
        .update(readFileSync(file))
        .update('\0');
  }
  return hash.digest('hex');
};

const stampFileOf = (name) => path.join(STAMP_DIR, name);

/** Are the inputs what they were when the stamp was written? */
export const isStampCurrent = (name, inputs) => {
  const file = stampFileOf(name);
  return existsSync(file) && readFileSync(file, 'utf8').trim() === hashInputs(inputs);
};

const storeStamp = (name, hash) => {
  mkdirSync(STAMP_DIR, { recursive: true, mode: 0o700 });
  writeFileSync(stampFileOf(name), `${hash}\n`);
};

/** Notes that the inputs as they are now have been dealt with. */
export const writeStamp = (name, inputs) => storeStamp(name, hashInputs(inputs));

/**
 * Runs `run` unless it has succeeded on the same inputs and `outputs` are still there. Returns whether it ran.
 */
export const whenChanged = async (name, { inputs, outputs }, run) => {
  const isThere = outputs.every((output) => existsSync(path.join(CHECKOUT_DIR, output)));
  if (isThere && isStampCurrent(name, inputs)) return false;
  const hash = hashInputs(inputs); // before: what somebody edits meanwhile has not been taken in
  await run();
  storeStamp(name, hash);
  return true;
};
