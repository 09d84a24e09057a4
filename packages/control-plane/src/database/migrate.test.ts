import { randomBytes } from 'node:crypto';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { migrateDatabase } from './migrate.js';

const { adminUrl } = inject('kvorumPostgres');
const REPOSITORY_MIGRATIONS = path.resolve(import.meta.dirname, '../../../../prisma/migrations');

let folder: string;
let url: string;
const databases: string[] = [];

const query = async (on: string, sql: string): Promise<Record<string, unknown>[]> => {
  const client = new pg.Client({ connectionString: on });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
};

const addMigration = async (name: string, sql: string): Promise<void> => {
  await mkdir(path.join(folder, name), { recursive: true });
  await writeFile(path.join(folder, name, 'migration.sql'), sql);
};

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'kvorum-migrations-'));
});
beforeEach(async () => {
  await rm(folder, { recursive: true });
  await mkdir(folder);
  const name = `empty_${randomBytes(8).toString('hex')}`;
  await query(adminUrl, `CREATE DATABASE ${name}`);
  databases.push(name);
  const changed = new URL(adminUrl);
  changed.pathname = `/${name}`;
  url = changed.href;
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  for (const name of databases) await query(adminUrl, `DROP DATABASE ${name} WITH (FORCE)`);
});

describe('migrateDatabase', () => {
  it("finds the repository's migrations by itself and applies them", async () => {
    const applied = await migrateDatabase(url);
    expect(applied[0]).toBe('20260101000000_first');
    expect(await query(url, "SELECT to_regclass('operations') IS NOT NULL AS is_there")).toEqual([{ is_there: true }]);
    expect(await migrateDatabase(url)).toEqual([]);
  });

  it('lets one of many starters apply each migration, and all of them go on', async () => {
    await addMigration('001_a', 'SELECT pg_sleep(0.2); CREATE TABLE a (n int)');
    await addMigration('002_b', 'INSERT INTO a VALUES (1)');
    const applied = await Promise.all(Array.from({ length: 6 }, () => migrateDatabase(url, folder)));
    expect(applied.filter((names) => names.length > 0)).toEqual([['001_a', '002_b']]);
    expect(await query(url, 'SELECT n FROM a')).toEqual([{ n: 1 }]);
  });

  it('applies what is new in the order of the names', async () => {
    await addMigration('001_a', 'CREATE TABLE a (n int)');
    await migrateDatabase(url, folder);
    await addMigration('010_c', 'ALTER TABLE b RENAME TO c');
    await addMigration('002_b', 'ALTER TABLE a RENAME TO b');
    expect(await migrateDatabase(url, folder)).toEqual(['002_b', '010_c']);
  });

  it('refuses to start on a migration that was edited after it had been applied, and names it', async () => {
    await addMigration('001_a', 'CREATE TABLE a (n int)');
    await migrateDatabase(url, folder);
    await addMigration('001_a', 'CREATE TABLE a (n bigint)');
    await expect(migrateDatabase(url, folder)).rejects.toMatchObject({
      code: 'conflict_state',
      message: expect.stringMatching(/001_a was edited after it had been applied/),
    });
  });

  it('refuses to start on a database of a newer release', async () => {
    await addMigration('001_a', 'CREATE TABLE a (n int)');
    await addMigration('002_b', 'CREATE TABLE b (n int)');
    await migrateDatabase(url, folder);
    await rm(path.join(folder, '002_b'), { recursive: true });
    await expect(migrateDatabase(url, folder)).rejects.toMatchObject({ code: 'conflict_state' });
  });

  it('leaves nothing behind of a migration that fails, and applies it once it is right', async () => {
    await addMigration('001_a', 'CREATE TABLE a (n int); SELECT 1 / 0');
    await expect(migrateDatabase(url, folder)).rejects.toThrow(/division by zero/);
    expect(await query(url, "SELECT to_regclass('a') IS NULL AS is_gone")).toEqual([{ is_gone: true }]);
    await addMigration('001_a', 'CREATE TABLE a (n int)');
    expect(await migrateDatabase(url, folder)).toEqual(['001_a']);
  });

  it('refuses a migration that another tool left half done', async () => {
    await cp(REPOSITORY_MIGRATIONS, folder, { recursive: true });
    await migrateDatabase(url, folder);
    await query(url, 'UPDATE _prisma_migrations SET finished_at = NULL');
    await expect(migrateDatabase(url, folder)).rejects.toThrow(/never finished/);
  });

  it('says that the database cannot be reached', async () => {
    const closed = new URL(url);
    closed.port = '1';
    await expect(migrateDatabase(closed.href, folder)).rejects.toMatchObject({ code: 'unavailable' });
  });
});
