import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

export const CHECKOUT = path.resolve(import.meta.dirname, '../..');

/** Every file that is, or is about to be, part of the project: what git tracks or would add. */
export const listFiles = (): readonly string[] =>
  execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
    cwd: CHECKOUT,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
    .split('\0')
    // A file that was removed but is still in the index.
    .filter((file) => file !== '' && existsSync(path.join(CHECKOUT, file)));

export const readText = (file: string): string => readFileSync(path.join(CHECKOUT, file), 'utf8');
