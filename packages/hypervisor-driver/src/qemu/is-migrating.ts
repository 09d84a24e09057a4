import type { Ask } from './devices/machine-change.js';

/** qapi/migration.json, MigrationStatus: every other one means that memory is being, or is about to be, sent. */
const MIGRATION_OVER: ReadonlySet<string> = new Set(['none', 'cancelled', 'completed', 'failed']);

export async function isMigrating(ask: Ask): Promise<boolean> {
  const { status } = await ask('query-migrate');
  return status !== null && !MIGRATION_OVER.has(status);
}
