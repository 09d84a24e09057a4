import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeScratchFolder } from '../../tests/support/scratch-folder.js';
import { commandLineOf, startTimeOf } from './process-identity.mjs';
import { type RedisServer, startRedis } from './redis.mjs';

const folder = makeScratchFolder();
let server: RedisServer;
beforeAll(async () => {
  server = await startRedis({ dataDir: folder.path });
});
afterAll(() => folder.remove());

describe('a private Redis', () => {
  it('serves whoever has its URL, which is on no command line', async () => {
    const client = new Redis(server.url);
    await client.set('key', 'value');
    expect(await client.get('key')).toBe('value');
    client.disconnect();
    expect(commandLineOf(server.pid).join(' ')).not.toContain(new URL(server.url).password);
  });

  it('refuses whoever has no password', async () => {
    const client = new Redis(`redis://127.0.0.1:${server.port}`, { enableReadyCheck: false });
    client.on('error', () => {}); // the refused handshake, which `get` reports as well
    await expect(client.get('key')).rejects.toThrow(/NOAUTH/);
    client.disconnect();
  });

  it('is gone when it is stopped', async () => {
    await server.stop();
    expect(startTimeOf(server.pid)).toBeNull();
  });
});
