import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeScratchFolder } from '../../tests/support/scratch-folder.js';
import { type PostgresServer, startPostgres, stopPostgres } from './postgres.mjs';
import { commandLineOf, startTimeOf } from './process-identity.mjs';

const STARTER = `
  import { startPostgres } from ${JSON.stringify(path.join(import.meta.dirname, 'postgres.mjs'))};
  const server = await startPostgres({ dataDir: process.argv[1], durability: 'disposable' });
  console.log(server.pid);
  setInterval(() => {}, 1000);
`;

const folder = makeScratchFolder();
const dataDir = path.join(folder.path, 'pg');
let server: PostgresServer;

const query = async (sql: string): Promise<unknown[]> => {
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
};

const untilGone = (pid: number) => expect.poll(() => startTimeOf(pid), { timeout: 20_000 }).toBeNull();

beforeAll(async () => {
  server = await startPostgres({ dataDir, durability: 'disposable' });
});
afterAll(async () => {
  await stopPostgres({ dataDir });
  folder.remove();
});

describe('a private PostgreSQL', () => {
  it('keeps its password in a file of its owner and on no command line', () => {
    const password = readFileSync(path.join(dataDir, 'password'), 'utf8').trim();
    expect(statSync(path.join(dataDir, 'password')).mode & 0o777).toBe(0o600);
    expect(server.url).toContain(password);
    expect(commandLineOf(server.pid).join(' ')).not.toContain(password);
  });

  it('refuses another password', async () => {
    const url = server.url.replace(/:[^:@]+@/, ':wrong@');
    await expect(new pg.Client({ connectionString: url }).connect()).rejects.toThrow(/password authentication failed/);
  });

  it('is found by whoever starts it a second time', async () => {
    const again = await startPostgres({ dataDir, durability: 'disposable' });
    expect([again.isReused, again.pid, again.url]).toEqual([true, server.pid, server.url]);
  });

  it('keeps data and port over a restart', async () => {
    await query('CREATE TABLE kept (value int)');
    await query('INSERT INTO kept VALUES (7)');
    const { port, pid } = server;
    await server.restart();
    expect(await query('SELECT value FROM kept')).toEqual([{ value: 7 }]);
    expect([server.port, server.pid === pid]).toEqual([port, false]);
  });

  it('starts over the lock file of a crash, even if its pid belongs to somebody else by now', async () => {
    const pid = server.pid;
    process.kill(pid, 'SIGKILL');
    await untilGone(pid);
    const lockFile = path.join(dataDir, 'cluster/postmaster.pid');
    if (existsSync(lockFile))
      writeFileSync(lockFile, readFileSync(lockFile, 'utf8').replace(/^\d+/, String(process.pid)));
    server = await startPostgres({ dataDir, durability: 'disposable' });
    expect(server.isReused).toBe(false);
    expect(await query('SELECT value FROM kept')).toEqual([{ value: 7 }]);
  });

  it('ends when the process that started it is killed', async () => {
    await server.stop();
    const starter = spawn(process.execPath, ['--input-type=module', '-e', STARTER, dataDir]);
    const pid = await new Promise<number>((resolve) => starter.stdout.once('data', (data) => resolve(Number(data))));
    expect(startTimeOf(pid)).not.toBeNull();
    starter.kill('SIGKILL');
    await untilGone(pid);
  });
});
