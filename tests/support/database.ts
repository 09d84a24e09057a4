import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { withDatabaseName } from './migrated-template.js';

export interface TestDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

const NAME_BYTES = 8;

const runAsAdmin = async (adminUrl: string, sql: string): Promise<void> => {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
};

/**
 * A database of this test alone with all migrations applied, on the server of the test run. Copied from a template in some
 * 40 ms, so that each test can have its own.
 */
export const createTestDatabase = async (): Promise<TestDatabase> => {
  const { adminUrl, templateName } = inject('kvorumPostgres');
  const name = `test_${randomBytes(NAME_BYTES).toString('hex')}`;
  await runAsAdmin(adminUrl, `CREATE DATABASE ${name} TEMPLATE ${templateName}`);
  return {
    url: withDatabaseName(adminUrl, name),
    // FORCE: a test that failed may have left connections.
    drop: () => runAsAdmin(adminUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
};
