import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StateLock } from './state-lock.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kv-lock-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('the lock of a state folder', () => {
  it('is refused to a second agent until the first has released it', async () => {
    const first = await StateLock.acquire(folder);
    await expect(StateLock.acquire(folder)).rejects.toMatchObject({ code: 'conflict_state' });
    await first.release();
    const second = await StateLock.acquire(folder);
    await second.release();
  });

  it('is free again after its holder was killed', async () => {
    const holder = spawn('flock', ['--no-fork', join(folder, 'agent.lock'), 'sh', '-c', 'echo held; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    await expect(StateLock.acquire(folder)).rejects.toMatchObject({ code: 'conflict_state' });
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    await (await StateLock.acquire(folder)).release();
  });
});
