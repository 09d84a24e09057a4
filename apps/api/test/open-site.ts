import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ControlPlane, closeControlPlane, createFirstToken, openControlPlane } from '@kvorum/control-plane';
import type { IssuedToken, Project, Role } from '@kvorum/schema';
import type { FastifyInstance } from 'fastify';
import pg from 'pg';
import { createTestDatabase } from '../../../tests/support/database.js';
import { type AppDeps, buildApp } from '../src/app.js';

export const SILENT_LOG = { debug() {}, info() {}, warn() {}, error() {} };
const ROOM = { vmCount: 100, vcpuCount: 1000, memoryBytes: 2 ** 50, diskBytes: 2 ** 50 };

export type Caller = Role | 'projectOperator' | 'projectViewer' | 'nobody';
export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into JSON of every route; wrong guesses fail their expectations.
  readonly body: any;
}
export interface Ask {
  readonly as?: Caller;
  readonly token?: string;
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly raw?: string | Buffer;
  readonly headers?: Record<string, string>;
}

/** A whole site behind its REST API, on a database of its own. No workers run unless a test starts them. */
export interface Site {
  readonly cp: ControlPlane;
  readonly app: FastifyInstance;
  readonly databaseUrl: string;
  readonly dataDir: string;
  readonly importDir: string;
  readonly tokens: Readonly<Record<Exclude<Caller, 'nobody'>, IssuedToken>>;
  /** The project that `projectOperator` and `projectViewer` are limited to. */
  readonly project: Project;
  ask(method: string, url: string, ask?: Ask): Promise<Answer>;
  /** All rows of all tables, as one hash per table. */
  contents(): Promise<Record<string, string>>;
  close(): Promise<void>;
}

export interface SiteOptions extends Partial<Omit<AppDeps, 'cp'>> {
  readonly gatewayAddress?: string;
  readonly enrolAddress?: string;
}

export async function openSite(options: SiteOptions = {}): Promise<Site> {
  const { gatewayAddress = '127.0.0.1:1', enrolAddress = '127.0.0.1:1', ...appDeps } = options;
  const database = await createTestDatabase();
  const dataDir = await mkdtemp(join(tmpdir(), 'kvorum-api-'));
  const importDir = join(dataDir, 'import');
  const cp = await openControlPlane({
    databaseUrl: database.url,
    dataDir,
    importDir,
    gatewayAddress,
    enrolAddress,
    log: SILENT_LOG,
    poolSize: 8,
  });
  const app = await buildApp({ cp, requestRate: { requestCountMax: 1_000_000, windowMs: 60_000 }, ...appDeps });
  const admin = await createFirstToken(cp);
  if (admin === null) throw new Error('a new database has tokens');
  const tokens: Partial<Record<Caller, IssuedToken>> = { admin };

  const ask = async (method: string, url: string, { as, token, body, raw, headers }: Ask = {}): Promise<Answer> => {
    const secret = token ?? (as === undefined || as === 'nobody' ? undefined : tokens[as]?.secret);
    const answer = await app.inject({
      method: method as 'GET',
      url,
      headers: {
        ...(secret === undefined ? {} : { authorization: `Bearer ${secret}` }),
        ...(body === undefined && raw === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(raw !== undefined ? { payload: raw } : body === undefined ? {} : { payload: JSON.stringify(body) }),
    });
    const isJson = answer.body !== '' && String(answer.headers['content-type']).includes('json');
    return {
      status: answer.statusCode,
      headers: answer.headers as Record<string, string>,
      body: isJson ? answer.json() : answer.body,
    };
  };
  const made = async <Body>(url: string, body: unknown): Promise<Body> => {
    const answer = await ask('POST', url, { as: 'admin', body });
    if (answer.status !== 201) throw new Error(`${url}: ${JSON.stringify(answer.body)}`);
    return answer.body as Body;
  };
  const project = await made<Project>('/v1/projects', { name: 'tests', quota: ROOM });
  for (const role of ['operator', 'viewer'] as const) {
    tokens[role] = await made('/v1/tokens', { name: role, role });
    const limited = role === 'operator' ? 'projectOperator' : 'projectViewer';
    tokens[limited] = await made('/v1/tokens', { name: `project-${role}`, role, projectId: project.id });
  }
  return {
    cp,
    app,
    databaseUrl: database.url,
    dataDir,
    importDir,
    tokens: tokens as Site['tokens'],
    project,
    ask,
    contents: () => contentsOf(database.url),
    close: async () => {
      await app.close();
      await closeControlPlane(cp);
      await database.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function contentsOf(url: string): Promise<Record<string, string>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows: tables } = await client.query<{ name: string }>(
      `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1`,
    );
    const hashes: Record<string, string> = {};
    for (const { name } of tables) {
      const { rows } = await client.query<{ text: string }>(
        `SELECT count(*) || ' rows ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') AS text FROM "${name}" t`,
      );
      hashes[name] = rows[0]?.text ?? '';
    }
    return hashes;
  } finally {
    await client.end();
  }
}
