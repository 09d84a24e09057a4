// Where things lie in this checkout.
import { mkdirSync } from 'node:fs';
import path from 'node:path';

export const CHECKOUT_DIR = path.resolve(import.meta.dirname, '..');
/** Everything that running writes: data, secrets, logs, caches. Readable by the owner only. */
export const STATE_DIR = path.join(CHECKOUT_DIR, '.kvorum');
export const LOG_DIR = path.join(STATE_DIR, 'logs');

export const makeStateDir = () => {
  mkdirSync(STATE_DIR, { recursive: true, mode: 0o700 });
  mkdirSync(LOG_DIR, { recursive: true, mode: 0o700 });
};
