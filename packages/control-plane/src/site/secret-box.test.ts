import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSecretBox } from './secret-box.js';

describe('the box of a site for its secrets', () => {
  let dataDir: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'kvorum-secrets-'));
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  it('gives back what was put in, and shows nothing of it', async () => {
    const box = await openSecretBox(dataDir);
    const sealed = box.seal('password: hünter2', 'here');
    expect(sealed.toString('latin1')).not.toContain('password');
    expect(box.open(sealed, 'here')).toBe('password: hünter2');
    expect(box.seal('password: hünter2', 'here').equals(sealed)).toBe(false);
  });

  it('refuses what was changed, and what lies in another place than it was put', async () => {
    const box = await openSecretBox(dataDir);
    const sealed = box.seal('text', 'here');
    expect(() => box.open(sealed, 'there')).toThrow('changed in the database');
    const changed = Buffer.from(sealed);
    changed.writeUInt8(changed.readUInt8(20) ^ 1, 20);
    expect(() => box.open(changed, 'here')).toThrow('changed in the database');
    expect(() => box.open(sealed.subarray(0, 8), 'here')).toThrow('another key');
  });

  it('has one key, however many processes make it at once, which only its owner may read', async () => {
    const boxes = await Promise.all(Array.from({ length: 8 }, () => openSecretBox(dataDir)));
    const sealed = boxes[0]?.seal('text', 'here') ?? Buffer.alloc(0);
    expect(boxes.map((box) => box.open(sealed, 'here'))).toEqual(Array.from({ length: 8 }, () => 'text'));
    expect(await readdir(dataDir)).toEqual(['secrets.key']);
    expect((await stat(join(dataDir, 'secrets.key'))).mode & 0o777).toBe(0o600);
  });

  it('says which file is needed when the key is another or no key at all', async () => {
    const sealed = (await openSecretBox(dataDir)).seal('text', 'here');
    await rm(join(dataDir, 'secrets.key'));
    const other = await openSecretBox(dataDir);
    expect(() => other.open(sealed, 'here')).toThrow('put the former secrets.key back');
    await writeFile(join(dataDir, 'secrets.key'), 'short');
    await expect(openSecretBox(dataDir)).rejects.toThrow('is not a key of 32 bytes');
  });
});
