import type { Tx } from '../database/database.js';

/** Channel of LISTEN/NOTIFY; the message is empty, for the rows are the truth. */
export const EVENT_CHANNEL = 'kvorum_events';

export interface NewEvent {
  /** Such as `vm.state`; see docs/events.md for the list. */
  readonly type: string;
  readonly projectId: string | null;
  readonly resourceKind: string;
  readonly resourceId: string;
  /** Small and safe to show: never secrets, never unbounded text. */
  readonly data: object;
}

/** Adds an event to the log in the caller's transaction: it becomes visible with the change it tells of, or never. */
export async function recordEvent(tx: Tx, event: NewEvent): Promise<void> {
  await tx.$executeRaw`
    INSERT INTO events (type, project_id, resource_kind, resource_id, data)
    VALUES (${event.type}, ${event.projectId}::uuid, ${event.resourceKind}, ${event.resourceId}::uuid,
            ${JSON.stringify(event.data)}::jsonb)`;
  await ringEventSignal(tx);
}

/** PostgreSQL folds equal notifications of one transaction into one and sends it at commit. */
export async function ringEventSignal(tx: Tx): Promise<void> {
  await tx.$executeRaw`SELECT pg_notify(${EVENT_CHANNEL}, '')`;
}
