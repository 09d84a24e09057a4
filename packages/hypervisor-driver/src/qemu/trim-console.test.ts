import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MIB } from '@kvorum/schema';
import { afterAll, describe, expect, it } from 'vitest';
import { trimConsole } from './trim-console.js';

const folder = mkdtempSync('/tmp/kv-');
afterAll(() => rmSync(folder, { recursive: true }));
const BLOCK_BYTES = 512; // st_blocks counts in 512 bytes (stat(2))

describe('trimming a console log', () => {
  it('gives old blocks back; offsets, newest output and appending stay as they were', async () => {
    const path = join(folder, 'long.log');
    writeFileSync(path, Buffer.alloc(5 * MIB, 'x'));
    await trimConsole(path, 2 * MIB);
    appendFileSync(path, 'last');
    const bytes = readFileSync(path);
    expect(bytes.length).toBe(5 * MIB + 4);
    expect(bytes.subarray(0, 3 * MIB).every((byte) => byte === 0)).toBe(true);
    expect(bytes.subarray(3 * MIB, 5 * MIB).every((byte) => byte === 0x78)).toBe(true);
    expect(bytes.subarray(5 * MIB).toString()).toBe('last');
    expect(statSync(path).blocks * BLOCK_BYTES).toBeLessThan(3 * MIB);
  });

  it('leaves a short log alone', async () => {
    const path = join(folder, 'short.log');
    writeFileSync(path, 'GUEST UP\n');
    await trimConsole(path);
    expect(readFileSync(path, 'utf8')).toBe('GUEST UP\n');
  });

  it('does nothing when there is no log', async () => {
    await trimConsole(join(folder, 'absent.log'));
  });
});
