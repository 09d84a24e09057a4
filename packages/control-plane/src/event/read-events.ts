import { DomainError, type Event } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { type EventPosition, positionText, readEventPage, readHorizon } from './event.store.js';

const READ_COUNT_MAX = 1000;
const FORM = /^([0-9]{1,19})-([0-9]{1,19})$/;
/** Largest bigint of PostgreSQL. */
const BIGINT_MAX = 2n ** 63n - 1n;

export interface ReadEventsOptions {
  /** An event's id or a cursor of an earlier read; null: from now on (no events, and the cursor to go on with). */
  readonly after: string | null;
  readonly limit: number;
  /** Id of the only object of interest. */
  readonly resource?: string;
}

/**
 * Events the actor may see, oldest first, and the cursor to go on with. Reading on from the cursor misses nothing and gives
 * nothing twice, whatever runs at the same time. Throws invalid_request for a cursor that was never given out.
 */
export async function readEvents(
  cp: ControlPlane,
  actor: Actor,
  options: ReadEventsOptions,
): Promise<{ events: Event[]; cursor: string }> {
  if (options.after === null) {
    return { events: [], cursor: positionText({ xactId: await readHorizon(cp.database), seq: 0n }) };
  }
  const after = parsePosition(options.after);
  const countMax = Math.min(options.limit, READ_COUNT_MAX);
  const filter = { projectId: actor.projectId, resourceId: options.resource ?? null };
  const { rows, horizonXactId } = await readEventPage(cp.database, after, filter, countMax);
  const last = rows.at(-1)?.position ?? after;
  // A page that is not full has reached the horizon: going on from there skips the events the filter left out.
  const isAtHorizon = rows.length < countMax && horizonXactId > last.xactId;
  const cursor = isAtHorizon ? { xactId: horizonXactId, seq: 0n } : last;
  return { events: rows.map((row) => row.event), cursor: positionText(cursor) };
}

function parsePosition(text: string): EventPosition {
  const [, xactId, seq] = FORM.exec(text) ?? [];
  const position = { xactId: BigInt(xactId ?? -1), seq: BigInt(seq ?? -1) };
  if (position.xactId < 0n || position.xactId > BIGINT_MAX || position.seq > BIGINT_MAX) {
    throw new DomainError('invalid_request', 'the position is not one that the event log has given out', {
      details: { fields: [{ field: 'after', message: 'must be the id of an event' }] },
    });
  }
  return position;
}

/** Resolves when there may be new events, when `signal` aborts, or after `timeoutMs`. */
export const waitForEvents = (cp: ControlPlane, signal: AbortSignal, timeoutMs: number): Promise<void> =>
  cp.eventSignal.wait(signal, timeoutMs);
