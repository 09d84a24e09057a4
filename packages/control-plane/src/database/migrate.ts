import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { DomainError } from '@kvorum/schema';
import pg from 'pg';

/** The advisory lock that Prisma Migrate takes, so that neither runs while the other does. */
const MIGRATION_LOCK = 72707369;
/** Another starter may be busy with a long migration; an hour is a migration gone wrong. */
const LOCK_WAIT_MS_MAX = 3_600_000;
/** A server that is still starting is waited for; one that is not there is named soon. */
const CONNECT_MS_MAX = 10_000;

/** Prisma's own table, so that its tools agree on what is applied. */
const MIGRATIONS_TABLE = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
  id varchar(36) PRIMARY KEY NOT NULL, checksum varchar(64) NOT NULL, finished_at timestamptz,
  migration_name varchar(255) NOT NULL, logs text, rolled_back_at timestamptz,
  started_at timestamptz NOT NULL DEFAULT now(), applied_steps_count integer NOT NULL DEFAULT 0)`;

/** `prisma/migrations` of the repository; the same way up from src/database and from dist/database. */
const MIGRATIONS_DIR = path.resolve(import.meta.dirname, '../../../../prisma/migrations');

interface Migration {
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

interface MigrationRow {
  readonly migration_name: string;
  readonly checksum: string;
  readonly finished_at: Date | null;
}

/**
 * Brings the database up to the newest migration; returns the names of those applied now. Several starters at once are
 * safe: one applies, the others wait and find nothing to do. Each migration is one transaction together with its row.
 *
 * Throws `conflict_state` when an applied migration was edited, is missing here (a newer release has been running), or was
 * left half done by another tool; `unavailable` when the server cannot be reached.
 */
export async function migrateDatabase(url: string, migrationsDir: string = MIGRATIONS_DIR): Promise<string[]> {
  const migrations = await readMigrations(migrationsDir);
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS_MAX });
  // Without a listener a connection that breaks between two queries would end the process.
  client.on('error', () => {});
  try {
    await client.connect();
  } catch (error) {
    throw new DomainError('unavailable', 'the database cannot be reached', { cause: error });
  }
  try {
    await client.query(`SET lock_timeout = ${LOCK_WAIT_MS_MAX}`);
    // Of the session, and so released by PostgreSQL when this process dies, however it dies.
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await client.query(MIGRATIONS_TABLE);
    const pending = await pendingMigrations(client, migrations);
    for (const migration of pending) await applyMigration(client, migration);
    return pending.map((migration) => migration.name);
  } finally {
    await client.end();
  }
}

async function readMigrations(migrationsDir: string): Promise<Migration[]> {
  const entries = await readdir(migrationsDir, { withFileTypes: true });
  // Names begin with a time stamp: their order is the order of application.
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    names.sort().map(async (name) => {
      const content = await readFile(path.join(migrationsDir, name, 'migration.sql'));
      return { name, sql: content.toString('utf8'), checksum: createHash('sha256').update(content).digest('hex') };
    }),
  );
}

async function pendingMigrations(client: pg.Client, migrations: readonly Migration[]): Promise<Migration[]> {
  const { rows } = await client.query<MigrationRow>(
    'SELECT migration_name, checksum, finished_at FROM _prisma_migrations WHERE rolled_back_at IS NULL',
  );
  const known = new Map(migrations.map((migration) => [migration.name, migration]));
  for (const row of rows) {
    const migration = known.get(row.migration_name);
    if (row.finished_at === null) {
      throw refusal(row.migration_name, 'was begun by another tool and never finished; repair it with that tool');
    }
    if (migration === undefined) {
      throw refusal(row.migration_name, 'is applied but not part of this release; start the newer release instead');
    }
    if (migration.checksum !== row.checksum) {
      throw refusal(row.migration_name, 'was edited after it had been applied; restore it and add a new one');
    }
  }
  const applied = new Set(rows.map((row) => row.migration_name));
  return migrations.filter((migration) => !applied.has(migration.name));
}

const refusal = (name: string, problem: string): DomainError =>
  new DomainError('conflict_state', `migration ${name} ${problem}`, { details: { migration: name } });

async function applyMigration(client: pg.Client, migration: Migration): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(migration.sql);
    await client.query(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count)
       VALUES ($1, $2, $3, clock_timestamp(), 1)`,
      [randomUUID(), migration.checksum, migration.name],
    );
    await client.query('COMMIT');
  } catch (error) {
    // A broken connection has rolled back by itself; its error is the one to show.
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}
