import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { replaceFile } from './durable-file.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kv-wd-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('replacing a file durably', () => {
  it('replaces the content and leaves nothing beside it', async () => {
    const path = join(folder, 'a.json');
    await replaceFile(path, 'one');
    await replaceFile(path, 'two');
    expect(await readFile(path, 'utf8')).toBe('two');
    expect(await readdir(folder)).toEqual(['a.json']);
  });

  it('makes files that only their owner can read', async () => {
    const path = join(folder, 'key.pem');
    await replaceFile(path, 'secret');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('does not follow a link planted under the temporary name', async () => {
    const victim = join(folder, 'victim');
    await writeFile(victim, 'untouched');
    await symlink(victim, join(folder, 'a.json.tmp'));
    await replaceFile(join(folder, 'a.json'), 'mine');
    expect(await readFile(victim, 'utf8')).toBe('untouched');
    expect(await readFile(join(folder, 'a.json'), 'utf8')).toBe('mine');
  });
});
