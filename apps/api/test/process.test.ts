import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database.js';
import { type Configuration, parseConfiguration } from '../src/configuration.js';
import { startProcess } from '../src/start-process.js';

let database: TestDatabase;
let dataDir: string;
beforeAll(async () => {
  database = await createTestDatabase();
  dataDir = await mkdtemp(join(tmpdir(), 'kvorum-process-'));
});
afterAll(async () => {
  await database.drop();
  await rm(dataDir, { recursive: true, force: true });
});

const log = pino({ level: 'silent' });
const configurationWith = (more: Record<string, string> = {}): Configuration => {
  const parsed = parseConfiguration({
    KVORUM_DATABASE_URL: database.url,
    KVORUM_DATA_DIR: dataDir,
    KVORUM_LISTEN: '127.0.0.1:0',
    KVORUM_GATEWAY_LISTEN: '127.0.0.1:0',
    KVORUM_ENROL_LISTEN: '127.0.0.1:0',
    KVORUM_BOOTSTRAP_TOKEN_FILE: join(dataDir, 'admin-token'),
    ...more,
  });
  if (parsed.kind === 'refused') throw new Error(parsed.problems.join('; '));
  return parsed.configuration;
};

it('starts all roles, keeps the first token for its owner alone, and stops; a second start keeps that token', async () => {
  const first = await startProcess(configurationWith(), log);
  expect(first).toMatchObject({
    url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
    gateway: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    enrol: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
  });
  const tokenFile = join(dataDir, 'admin-token');
  expect((await stat(tokenFile)).mode & 0o777).toBe(0o600);
  const secret = (await readFile(tokenFile, 'utf8')).trim();
  const who = await fetch(`${first.url}/v1/tokens/self`, { headers: { authorization: `Bearer ${secret}` } });
  expect(await who.json()).toMatchObject({ role: 'admin', projectId: null });
  await first.stop();
  await expect(fetch(`${first.url}/healthz`)).rejects.toThrow();

  const second = await startProcess(configurationWith(), log);
  expect((await readFile(tokenFile, 'utf8')).trim()).toBe(secret);
  expect((await fetch(`${second.url}/readyz`)).status).toBe(200);
  await second.stop();
});

it('listens nowhere without the role api', async () => {
  const running = await startProcess(configurationWith({ KVORUM_ROLES: 'worker,reconciler' }), log);
  expect(running).toMatchObject({ url: null, gateway: null, enrol: null });
  await running.stop();
});

it('closes what it opened when a port is taken, so that the next start succeeds', async () => {
  const holder = await startProcess(configurationWith(), log);
  const port = new URL(holder.url ?? '').port;
  const taken = configurationWith({ KVORUM_LISTEN: `127.0.0.1:${port}` });
  await expect(startProcess(taken, log)).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await holder.stop();
  const next = await startProcess(taken, log);
  expect(next.url).toBe(`http://127.0.0.1:${port}`);
  await next.stop();
});
