import type { ControlPlane } from '../control-plane.js';

/** Asks the database for an answer, any answer. Throws what the driver throws when there is none. */
export async function pingDatabase(cp: Pick<ControlPlane, 'database'>): Promise<void> {
  await cp.database.$queryRaw`SELECT 1`;
}
