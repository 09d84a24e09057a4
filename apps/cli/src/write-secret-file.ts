import { writeFileSync } from 'node:fs';
import { usageError } from './usage-error.js';

const OWNER_ONLY_FILE = 0o600;

/** A new file that only its owner can read. One that is there already is refused: its permissions may be wider. */
export function writeSecretFile(path: string, secret: string): void {
  try {
    writeFileSync(path, `${secret}\n`, { mode: OWNER_ONLY_FILE, flag: 'wx' });
  } catch (error) {
    const code = String((error as { code?: unknown }).code ?? error);
    throw usageError(`${path} cannot be written (${code})`, 'Give the path of a file that does not exist yet.');
  }
}
