import path from 'node:path';
import { startPostgres as startServer } from '../../scripts/services/postgres.mjs';
import { makeScratchFolder } from './scratch-folder.js';

export interface TestPostgres {
  /** Superuser's URL of the database `postgres`. */
  readonly adminUrl: string;
  /** As after `systemctl restart postgresql`: every connection breaks, data and address stay. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * A PostgreSQL of this test alone, for tests that stop or restart it; all others share the run's server through
 * `createTestDatabase`. It ends with the test process, even if that is killed.
 */
export const startPostgres = async (): Promise<TestPostgres> => {
  const folder = makeScratchFolder();
  const server = await startServer({ dataDir: path.join(folder.path, 'pg'), durability: 'disposable' });
  return {
    adminUrl: server.url,
    restart: () => server.restart(),
    stop: async () => {
      await server.stop();
      folder.remove();
    },
  };
};
