import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId, type ProjectId, type Role } from '@kvorum/schema';
import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../../../../tests/support/database.js';
import { createMigratedTemplate, withDatabaseName } from '../../../../tests/support/migrated-template.js';
import { startPostgres } from '../../../../tests/support/postgres.js';
import { GrpcAgentDirectory } from '../../src/agents/agent-directory.js';
import type { AgentDirectory } from '../../src/agents/agent-port.js';
import type { Actor, ControlPlane, Logger } from '../../src/control-plane.js';
import { openDatabase } from '../../src/database/database.js';
import { ListeningEventSignal } from '../../src/event/event-signal.store.js';
import { readFleetChanges, TraitSets } from '../../src/host/fleet.store.js';
import { DatabaseFleetSnapshot } from '../../src/host/fleet-snapshot.js';
import { findTrustedFingerprints } from '../../src/host/host.store.js';
import { openImageStore } from '../../src/image/image-store.js';
import type { Bell } from '../../src/operations/bell.js';
import { ensureDefaultProject } from '../../src/project/default-project.js';
import { openSecretBox } from '../../src/site/secret-box.js';
import { ensureSite } from '../../src/site/site.store.js';
import { openSiteAuthority } from '../../src/site/site-authority.js';
import { createFirstToken, createToken } from '../../src/token/tokens.js';

export const SILENT_LOG: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Rings that would have gone to workers. */
class RecordingBell implements Bell {
  readonly rung: string[] = [];
  ring(operationId: string): Promise<void> {
    this.rung.push(operationId);
    return Promise.resolve();
  }
  remind(): Promise<void> {
    return Promise.resolve();
  }
  listen(): never {
    throw new TypeError('nobody listens to this bell');
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
}

export interface TestControlPlane {
  readonly cp: ControlPlane;
  readonly admin: Actor;
  readonly rung: readonly string[];
  readonly importDir: string;
  readonly dataDir: string;
  /** A token with a row of its own, as idempotency keys need one. */
  actor(role: Role, projectId?: ProjectId): Promise<Actor>;
  /** Another process of the same control plane: its own pool and its own view of the fleet. */
  anotherProcess(): ControlPlane;
  /** Rows as PostgreSQL has them. */
  sql<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

const POOL_SIZE = 10;
const NO_AGENTS: AgentDirectory = {
  agentOf: () => {
    throw new TypeError('no agents in this test');
  },
  close: () => Promise.resolve(),
};

export interface TestControlPlaneOptions {
  /** 'none': calling one fails the test. 'grpc': real connections to whatever listens at the hosts' addresses. */
  readonly agents?: 'none' | 'grpc';
  readonly gatewayAddress?: string;
  /**
   * 'own': a PostgreSQL server of this test alone. For tests of the event log's horizon: transactions of other databases of
   * the same server hold it back as well. Default 'shared'.
   */
  readonly server?: 'shared' | 'own';
}

/** An empty, migrated database on a server that nobody else uses. */
async function databaseOfOwnServer(): Promise<TestDatabase> {
  const server = await startPostgres();
  const name = await createMigratedTemplate(server.adminUrl);
  return { url: withDatabaseName(server.adminUrl, name), drop: () => server.stop() };
}

/** A control plane on a database of its own, without workers and gateway: for use cases and their SQL. */
export async function openTestControlPlane(options: TestControlPlaneOptions = {}): Promise<TestControlPlane> {
  const testDatabase = options.server === 'own' ? await databaseOfOwnServer() : await createTestDatabase();
  const dataDir = await mkdtemp(join(tmpdir(), 'kvorum-cp-'));
  const importDir = join(dataDir, 'import');
  const closers: (() => Promise<unknown>)[] = [];
  const clock = (): Date => new Date();
  const database = openDatabase(testDatabase.url, POOL_SIZE);
  const siteId = await ensureSite(database);
  await ensureDefaultProject(database, clock());
  const authority = await openSiteAuthority({ dataDir, siteId, clock });
  const secrets = await openSecretBox(dataDir);
  const images = await openImageStore({ dataDir, importDir });
  const bell = new RecordingBell();

  const agents =
    options.agents === 'grpc'
      ? new GrpcAgentDirectory(authority, (hostId) => findTrustedFingerprints(database, hostId))
      : NO_AGENTS;
  closers.push(() => agents.close());

  const process = (ownDatabase = database): ControlPlane => {
    const fleetDatabase = openDatabase(testDatabase.url, 1);
    const traitSets = new TraitSets();
    const eventSignal = new ListeningEventSignal(testDatabase.url, SILENT_LOG);
    closers.push(
      () => eventSignal.close(),
      () => fleetDatabase.$disconnect(),
      () => ownDatabase.$disconnect(),
    );
    return {
      database: ownDatabase,
      bell,
      agents,
      authority,
      secrets,
      images,
      // Servers of tests are on loopback.
      imageSources: { hosts: ['*'], privateNetworks: ['127.0.0.0/8', '::1/128'] },
      siteId,
      fleet: new DatabaseFleetSnapshot((...asked) => readFleetChanges(fleetDatabase, traitSets, ...asked)),
      eventSignal,
      gatewayAddress: options.gatewayAddress ?? '127.0.0.1:7081',
      enrolAddress: '127.0.0.1:7082',
      log: SILENT_LOG,
      clock,
    };
  };
  const cp = process();
  const first = await createFirstToken(cp);
  if (first === null) throw new TypeError('a new database has no token');
  const admin: Actor = { tokenId: first.id, tokenName: first.name, role: 'admin', projectId: null };
  const pool = new pg.Pool({ connectionString: testDatabase.url, max: 2 });
  // pool.end() resolves while its connections are still closing; the DROP DATABASE after it ends them from the other side.
  pool.on('error', () => undefined);
  return {
    cp,
    admin,
    rung: bell.rung,
    importDir,
    dataDir,
    actor: async (role, projectId) => {
      const name = `t-${newId().slice(-12)}`;
      const { id } = await createToken(cp, admin, {
        name,
        role,
        validForSeconds: 3600,
        ...(projectId === undefined ? {} : { projectId }),
      });
      return { tokenId: id, tokenName: name, role, projectId: projectId ?? null };
    },
    anotherProcess: () => process(openDatabase(testDatabase.url, POOL_SIZE)),
    sql: async (text, values) => (await pool.query(text, values)).rows,
    close: async () => {
      await pool.end();
      for (const close of closers) await close();
      await testDatabase.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
