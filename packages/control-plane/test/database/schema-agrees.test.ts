import { readFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../../tests/support/database.js';

const SCHEMA_FILE = path.resolve(import.meta.dirname, '../../../../prisma/schema.prisma');

/** One column as both sides describe it. */
interface Column {
  readonly type: string;
  readonly isNullable: boolean;
  readonly hasDefault: boolean;
}
type Tables = Record<string, Record<string, Column>>;

const SCALARS: Record<string, string> = {
  String: 'text',
  Int: 'integer',
  BigInt: 'bigint',
  Boolean: 'boolean',
  Json: 'jsonb',
  Bytes: 'bytea',
};
const NATIVE_TYPES: Record<string, string> = {
  Inet: 'inet',
  Uuid: 'uuid',
  'Timestamptz(6)': 'timestamp with time zone',
};

/** Reads the models of schema.prisma; fields whose type is another model are relations and have no column. */
const readModels = (source: string): Tables => {
  const tables: Tables = {};
  for (const [, body = ''] of source.matchAll(/^model \w+ \{\n([\s\S]*?)^\}/gm)) {
    const table = body.match(/@@map\("(\w+)"\)/)?.[1];
    if (table === undefined) throw new Error(`a model without @@map: ${body}`);
    const columns: Record<string, Column> = {};
    for (const line of body.split('\n')) {
      const [, field, scalar, mark, attributes = ''] = line.match(/^ {2}(\w+)\s+(\w+)(\?|\[\])?(.*)$/) ?? [];
      if (field === undefined || scalar === undefined) continue;
      const native = attributes.match(/@db\.(\w+(?:\(\d+\))?)/)?.[1];
      const type = native === undefined ? SCALARS[scalar] : NATIVE_TYPES[native];
      if (type === undefined && native !== undefined) throw new Error(`unknown native type ${native} of ${field}`);
      // DateTime without a native type would be a timestamp without a zone, which no table of ours has.
      if (type === undefined && scalar !== 'DateTime') continue;
      columns[attributes.match(/@map\("(\w+)"\)/)?.[1] ?? field] = {
        // information_schema calls every list so, whatever it is a list of.
        type: mark === '[]' ? 'ARRAY' : (type ?? 'timestamp without time zone'),
        isNullable: mark === '?',
        hasDefault: attributes.includes('@default'),
      };
    }
    tables[table] = columns;
  }
  return tables;
};

const readDatabase = async (url: string): Promise<Tables> => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ table: string; column: string } & Column>(`
    SELECT table_name AS "table", column_name AS "column", data_type AS type, is_nullable = 'YES' AS "isNullable",
           column_default IS NOT NULL OR is_identity = 'YES' AS "hasDefault"
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '_prisma_migrations'`);
  await client.end();
  const tables: Tables = {};
  for (const { table, column, ...shape } of rows) {
    tables[table] ??= {};
    tables[table][column] = shape;
  }
  return tables;
};

/** The database fills these in itself; the client never writes them. */
const DATABASE_DEFAULTS = ['events.xact_id'];

describe('schema.prisma and the migrations', () => {
  let database: TestDatabase;
  let expected: Tables;
  let actual: Tables;
  beforeAll(async () => {
    database = await createTestDatabase();
    expected = readModels(readFileSync(SCHEMA_FILE, 'utf8'));
    actual = await readDatabase(database.url);
  });
  afterAll(() => database.drop());

  it('name the same tables', () => {
    expect(Object.keys(expected).sort()).toEqual(Object.keys(actual).sort());
    expect(Object.keys(expected)).toContain('operations');
  });

  it('agree on every column, its type, whether it may be null, and whether it has a default', () => {
    for (const name of DATABASE_DEFAULTS) {
      const [table = '', column = ''] = name.split('.');
      const found = actual[table]?.[column];
      expect(found?.hasDefault).toBe(true);
      if (found !== undefined) actual[table] = { ...actual[table], [column]: { ...found, hasDefault: false } };
    }
    expect(expected).toEqual(actual);
  });
});
