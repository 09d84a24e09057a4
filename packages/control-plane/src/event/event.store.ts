import type { Event, ProjectId } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';

/** Channel of LISTEN/NOTIFY. The message is the id of the transaction that wrote events; the rows are the truth. */
export const EVENT_CHANNEL = 'kvorum_events';

export interface NewEvent {
  /** Such as `vm.state`. */
  readonly type: string;
  readonly projectId: string | null;
  readonly resourceKind: string;
  readonly resourceId: string;
  /** Small and safe to show: never secrets, never unbounded text. */
  readonly data: object;
}

/** Adds an event to the log in the caller's transaction: it becomes visible with the change it tells of, or never. */
export const recordEvent = (tx: Tx, event: NewEvent): Promise<void> => recordEvents(tx, [event]);

/** As recordEvent, in the order given. */
export async function recordEvents(tx: Tx, events: readonly NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  await tx.$executeRaw`
    WITH written AS (
      INSERT INTO events (type, project_id, resource_kind, resource_id, data)
      SELECT e.type, e.project_id, e.resource_kind, e.resource_id, e.data
        FROM ROWS FROM (jsonb_to_recordset(${JSON.stringify(events)}::jsonb)
               AS (type text, "projectId" uuid, "resourceKind" text, "resourceId" uuid, data jsonb))
             WITH ORDINALITY AS e (type, project_id, resource_kind, resource_id, data, ordinal)
       ORDER BY e.ordinal
      RETURNING xact_id)
    SELECT pg_notify(${EVENT_CHANNEL}, min(xact_id)::text) FROM written`;
}

/** For events that were written by SQL. PostgreSQL folds equal notifications of one transaction and sends it at commit. */
export async function ringEventSignal(tx: Tx): Promise<void> {
  await tx.$executeRaw`SELECT pg_notify(${EVENT_CHANNEL}, pg_current_xact_id()::text)`;
}

/** A place in the log, between two events. */
export interface EventPosition {
  readonly xactId: bigint;
  readonly seq: bigint;
}

export interface EventPage {
  readonly rows: readonly { readonly event: Event; readonly position: EventPosition }[];
  /** Everything below it has been read once `rows` is not full: nothing can appear there any more. */
  readonly horizonXactId: bigint;
}

interface EventRow {
  readonly seq: bigint | null;
  readonly xact_id: bigint;
  readonly type: string;
  readonly project_id: string | null;
  readonly resource_kind: string;
  readonly resource_id: string;
  readonly data: Record<string, unknown>;
  readonly at: Date;
  readonly horizon: bigint;
}

export interface EventFilter {
  /** Null: of all projects and of the site. */
  readonly projectId: string | null;
  readonly resourceId: string | null;
}

/**
 * Events after a position, in the order (xact_id, seq), of transactions that are older than every one still running: what a
 * transaction under way may yet write lies beyond the horizon, so nothing appears behind a position that was handed out.
 * The horizon comes with the rows, in one statement and so from one snapshot, even when there are none.
 */
export async function readEventPage(
  database: Database,
  after: EventPosition,
  filter: EventFilter,
  countMax: number,
): Promise<EventPage> {
  const rows = await database.$queryRaw<EventRow[]>`
    WITH horizon AS MATERIALIZED (
      SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xact_id)
    SELECT e.*, horizon.xact_id AS horizon
      FROM horizon LEFT JOIN LATERAL (
        SELECT seq, xact_id, type, project_id, resource_kind, resource_id, data, at
          FROM events
         WHERE (xact_id, seq) > (${after.xactId}::bigint, ${after.seq}::bigint) AND xact_id < horizon.xact_id
           AND (${filter.projectId}::uuid IS NULL OR project_id = ${filter.projectId}::uuid)
           AND (${filter.resourceId}::uuid IS NULL OR resource_id = ${filter.resourceId}::uuid)
         ORDER BY xact_id, seq
         LIMIT ${countMax}::int) e ON true`;
  const horizonXactId = rows[0]?.horizon ?? after.xactId;
  return { rows: rows.flatMap((row) => (row.seq === null ? [] : [foundOf(row, row.seq)])), horizonXactId };
}

const foundOf = (row: EventRow, seq: bigint): EventPage['rows'][number] => {
  const position = { xactId: row.xact_id, seq };
  const event: Event = {
    id: positionText(position),
    type: row.type,
    projectId: row.project_id as ProjectId | null,
    resourceKind: row.resource_kind,
    resourceId: row.resource_id,
    at: row.at.toISOString(),
    data: row.data,
  };
  return { event, position };
};

export const positionText = ({ xactId, seq }: EventPosition): string => `${xactId}-${seq}`;

/** The horizon now: the place at which somebody begins who wants what comes, and nothing that was. */
export async function readHorizon(database: Database | Tx): Promise<bigint> {
  const [row] = await database.$queryRaw<{ xact_id: bigint }[]>`
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xact_id`;
  if (row === undefined) throw new TypeError('SELECT without FROM gives one row');
  return row.xact_id;
}
