import type { PlacementRecord } from '@kvorum/scheduler';
import type { PlacementOutcome } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import type { Placement as Stored } from '../database/generated/client.js';
import type { PageBounds } from '../page-cursor.js';
import type { EvidenceJson } from './decision-evidence.js';
import { type KeptDecision, pack, unpack } from './packed-decision.js';

export type PlacementRow = Omit<Stored, keyof KeptDecision | 'packed'> & KeptDecision;

export interface NewPlacement {
  readonly id: string;
  readonly projectId: string;
  /** Null: no VM was made. */
  readonly vmId: string | null;
  readonly vmName: string;
  readonly requestedBy: string;
  readonly record: PlacementRecord;
  readonly evidence: EvidenceJson | null;
}

/** Keeps a decision; one statement, so that outside of a transaction it is one of its own. */
export const insertPlacement = (database: Database | Tx, placement: NewPlacement): Promise<void> =>
  insertPlacements(database, [placement]);

/** Keeps decisions; one statement. */
export async function insertPlacements(database: Database | Tx, placements: readonly NewPlacement[]): Promise<void> {
  const rows = await Promise.all(
    placements.map(async ({ record, evidence, ...placement }) => ({
      ...placement,
      outcome: record.outcome,
      hostId: record.chosen?.hostId ?? null,
      packed: (await pack(record, evidence)).toString('base64'),
    })),
  );
  await database.$executeRaw`
    INSERT INTO placements (id, outcome, project_id, vm_id, vm_name, host_id, requested_by, packed)
    SELECT id, outcome, "projectId", "vmId", "vmName", "hostId", "requestedBy", decode(packed, 'base64')
      FROM jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
        AS p (id uuid, outcome text, "projectId" uuid, "vmId" uuid, "vmName" text, "hostId" uuid, "requestedBy" text,
              packed text)`;
}

/** Decisions of earlier releases have their record and evidence as they are. */
async function rowOf({ record, evidence, packed, ...stored }: Stored): Promise<PlacementRow> {
  const kept = packed === null ? ({ record, evidence } as unknown as KeptDecision) : await unpack(packed);
  return { ...stored, ...kept };
}

export async function findPlacement(database: Database, id: string): Promise<PlacementRow | null> {
  const stored = await database.placement.findUnique({ where: { id } });
  return stored === null ? null : rowOf(stored);
}

export interface PlacementFilter {
  readonly projectId: string | null;
  readonly vmId: string | undefined;
  readonly outcome: PlacementOutcome | undefined;
}

/** Newest first. */
export async function findPlacements(
  database: Database,
  filter: PlacementFilter,
  bounds: PageBounds,
): Promise<PlacementRow[]> {
  const stored = await database.placement.findMany({
    where: {
      ...(bounds.afterId === null ? {} : { id: { lt: bounds.afterId } }),
      ...(filter.projectId === null ? {} : { projectId: filter.projectId }),
      ...(filter.vmId === undefined ? {} : { vmId: filter.vmId }),
      ...(filter.outcome === undefined ? {} : { outcome: filter.outcome }),
    },
    orderBy: { id: 'desc' },
    take: bounds.rowCountMax,
  });
  return Promise.all(stored.map(rowOf));
}

export interface RefusalBounds {
  readonly before: Date;
  readonly countMax: number;
  readonly rowsPerPassMax: number;
}

/**
 * Forgets refusals that are old or too many. Ids are made in the order of time, so the one that has `countMax` newer ones
 * is found by walking the index. Returns how many were forgotten.
 */
export const forgetRefusals = (database: Database, bounds: RefusalBounds): Promise<number> =>
  database.$executeRaw`
    DELETE FROM placements WHERE id IN (
      SELECT id FROM placements
       WHERE outcome = 'refused'
         AND (created_at < ${bounds.before}
              OR id <= (SELECT id FROM placements WHERE outcome = 'refused'
                         ORDER BY id DESC OFFSET ${bounds.countMax}::int LIMIT 1))
       ORDER BY id LIMIT ${bounds.rowsPerPassMax}::int FOR UPDATE SKIP LOCKED)`;

/** Forgets why deleted VMs were where they were. */
export const forgetPlacementsOfDeletedVms = (
  database: Database,
  before: Date,
  rowsPerPassMax: number,
): Promise<number> =>
  database.$executeRaw`
    DELETE FROM placements WHERE id IN (
      SELECT p.id FROM placements p JOIN vms v ON v.id = p.vm_id
       WHERE v.deleted_at < ${before} ORDER BY p.id LIMIT ${rowsPerPassMax}::int FOR UPDATE OF p SKIP LOCKED)`;
