import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface TestImage {
  readonly bytes: Buffer;
  readonly sha256: string;
}
export const sha256Of = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

/** A real qcow2 file, made by qemu-img. `backing`: a file it says it rests on. */
export async function makeQcow2(folder: string, name: string, backing?: string): Promise<TestImage> {
  const path = join(folder, name);
  const rest = backing === undefined ? [] : ['-u', '-b', backing, '-F', 'raw'];
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', ...rest, path, '4M']);
  const bytes = await readFile(path);
  return { bytes, sha256: sha256Of(bytes) };
}
