import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readConsole } from './read-console.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kv-rc-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('a console log', () => {
  it('that is not there yet is empty', async () => {
    expect(await readConsole(folder, null, 10)).toEqual({ data: Buffer.alloc(0), offset: 0, sizeBytes: 0 });
  });

  it.each<[string, (path: string) => unknown]>([
    ['a link', (path) => symlink('/etc/passwd', path)],
    ['a folder', (path) => mkdir(path)],
    ['a pipe', (path) => execFileSync('mkfifo', [path])],
  ])('that is %s is not read', async (_name, plant) => {
    await plant(join(folder, 'console.log'));
    await expect(readConsole(folder, null, 10)).rejects.toMatchObject({ code: 'host_fault' });
  });
});
