import type { TestProject } from 'vitest/node';
import { createMigratedTemplate } from './migrated-template.js';
import { startPostgres, type TestPostgres } from './postgres.js';

declare module 'vitest' {
  export interface ProvidedContext {
    kvorumPostgres: { adminUrl: string; templateName: string };
  }
}

interface RunServer {
  readonly server: TestPostgres;
  readonly adminUrl: string;
  readonly templateName: string;
}

// Each vitest project loads this file for itself; they share one server through a key that all of them know.
const RUN_SERVER = Symbol.for('kvorum.test-run.postgres');
const holder = globalThis as { [RUN_SERVER]?: { started: Promise<RunServer>; userCount: number } };

const startRunServer = async (): Promise<RunServer> => {
  const server = await startPostgres();
  const templateName = await createMigratedTemplate(server.adminUrl);
  return { server, adminUrl: server.adminUrl, templateName };
};

/** One private PostgreSQL per test run, with the migrated template; stopped when the last project is done. */
export const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  holder[RUN_SERVER] ??= { started: startRunServer(), userCount: 0 };
  const held = holder[RUN_SERVER];
  held.userCount += 1;
  const { server, adminUrl, templateName } = await held.started;
  project.provide('kvorumPostgres', { adminUrl, templateName });
  return async () => {
    held.userCount -= 1;
    if (held.userCount > 0) return;
    delete holder[RUN_SERVER];
    await server.stop();
  };
};
