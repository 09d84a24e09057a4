import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';

const MIGRATIONS_DIR = path.resolve(import.meta.dirname, '../../prisma/migrations');
const TEMPLATE_NAME = 'kvorum_template';

// Prisma's own table, so that the control plane's migrator finds everything applied.
const MIGRATIONS_TABLE = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
  id varchar(36) PRIMARY KEY NOT NULL, checksum varchar(64) NOT NULL, finished_at timestamptz, migration_name varchar(255) NOT NULL,
  logs text, rolled_back_at timestamptz, started_at timestamptz NOT NULL DEFAULT now(), applied_steps_count integer NOT NULL DEFAULT 0)`;

export const withDatabaseName = (url: string, name: string): string => {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
};

const applyMigration = async (client: pg.Client, name: string): Promise<void> => {
  const sql = readFileSync(path.join(MIGRATIONS_DIR, name, 'migration.sql'));
  await client.query(sql.toString('utf8'));
  await client.query(
    `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count) VALUES ($1, $2, $3, now(), 1)`,
    [randomUUID(), createHash('sha256').update(sql).digest('hex'), name],
  );
};

/** Makes the database that every test's database is copied from, on the server of `adminUrl`. Returns its name. */
export const createMigratedTemplate = async (adminUrl: string): Promise<string> => {
  const admin = new pg.Client({ connectionString: adminUrl });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${TEMPLATE_NAME}`);
  await admin.end();
  const client = new pg.Client({ connectionString: withDatabaseName(adminUrl, TEMPLATE_NAME) });
  await client.connect();
  try {
    await client.query(MIGRATIONS_TABLE);
    const entries = readdirSync(MIGRATIONS_DIR, { withFileTypes: true });
    const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    for (const name of names.sort()) await applyMigration(client, name);
  } finally {
    await client.end();
  }
  return TEMPLATE_NAME;
};
