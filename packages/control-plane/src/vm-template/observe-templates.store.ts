import type { Database, Tx } from '../database/database.js';
import { ringEventSignal } from '../event/event.store.js';

/** Templates of the host that it has not, but for those that were settled within `settledMs`. Each is an event. */
export async function loseTemplates(
  tx: Tx,
  hostId: string,
  seen: { readonly presentIds: readonly string[]; readonly reason: string; readonly settledMs: number },
): Promise<void> {
  const failure = { code: 'host_fault', message: seen.reason, details: {} };
  const count = await tx.$executeRaw`
    WITH lost AS (
      UPDATE vm_templates
         SET state = 'lost', failure = ${JSON.stringify(failure)}::jsonb, updated_at = clock_timestamp()
       WHERE host_id = ${hostId}::uuid AND deleted_at IS NULL AND state = 'available'
         AND NOT id = ANY (${[...seen.presentIds]}::uuid[])
         AND updated_at <= clock_timestamp() - ${seen.settledMs}::int * interval '1 millisecond'
      RETURNING id, project_id, name)
    INSERT INTO events (type, project_id, resource_kind, resource_id, data)
    SELECT 'vm-template.state', project_id, 'vm-template', id, jsonb_build_object('to', 'lost', 'name', name, 'fact', 'missing')
      FROM lost`;
  if (count > 0) await ringEventSignal(tx);
}

/** Lost ones that the host has again. Each is an event. */
export async function restoreTemplates(tx: Tx, hostId: string, presentIds: readonly string[]): Promise<void> {
  if (presentIds.length === 0) return;
  const count = await tx.$executeRaw`
    WITH found AS (
      UPDATE vm_templates SET state = 'available', failure = NULL, updated_at = clock_timestamp()
       WHERE host_id = ${hostId}::uuid AND deleted_at IS NULL AND state = 'lost' AND id = ANY (${[...presentIds]}::uuid[])
      RETURNING id, project_id, name)
    INSERT INTO events (type, project_id, resource_kind, resource_id, data)
    SELECT 'vm-template.state', project_id, 'vm-template', id, jsonb_build_object('to', 'available', 'name', name, 'fact', 'present')
      FROM found`;
  if (count > 0) await ringEventSignal(tx);
}

/** Those of the ids that the site has not on this host; one that was deleted just now may still be told of. */
export async function findUnknownTemplates(
  database: Database,
  hostId: string,
  ids: readonly string[],
  settledMs: number,
): Promise<string[]> {
  const rows = await database.$queryRaw<{ id: string }[]>`
    SELECT told.id FROM unnest(${[...ids]}::uuid[]) AS told (id)
     WHERE NOT EXISTS (
       SELECT FROM vm_templates t
        WHERE t.id = told.id AND t.host_id = ${hostId}::uuid
          AND (t.deleted_at IS NULL OR t.deleted_at > clock_timestamp() - ${settledMs}::int * interval '1 millisecond'))
     ORDER BY told.id`;
  return rows.map(({ id }) => id);
}
