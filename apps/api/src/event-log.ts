import { type Actor, type ControlPlane, readEvents, waitForEvents } from '@kvorum/control-plane';
import { DomainError, type Event } from '@kvorum/schema';
import type { ServerEvent, ServerEvents, StreamPosition } from './event-stream.js';
import { refusalOfField } from './plugins/problem-json.js';

export interface EventFilter {
  /** Header of a reader that comes back; goes before `after`. */
  readonly lastEventId: string | undefined;
  readonly after: string | undefined;
  /** Whole types (`vm.state`) or their first words (`vm`); none: all. */
  readonly types: readonly string[];
  readonly resourceId: string | undefined;
}

/** Events of one read: bounds what a stream holds in memory. */
const READ_COUNT = 200;
/** A lost wake-up costs a reader at most this. */
const POLL_MS = 5000;

/** The event log from a place on. The first read happens here, so that a wrong place is refused before the stream opens. */
export async function openEventLog(cp: ControlPlane, actor: Actor, filter: EventFilter): Promise<ServerEvents> {
  const field = filter.lastEventId === undefined ? 'query.after' : 'header.last-event-id';
  const after = filter.lastEventId ?? filter.after ?? null;
  const read = (place: string | null) =>
    readEvents(cp, actor, {
      after: place,
      limit: READ_COUNT,
      ...(filter.resourceId === undefined ? {} : { resource: filter.resourceId }),
    });
  const first = await read(after).catch((error: unknown) => {
    if (error instanceof DomainError && error.code === 'invalid_request') throw refusalOfField(field, error.message);
    throw error;
  });
  return { open: (signal) => follow(first, signal) };

  async function* follow(
    page: { events: readonly Event[]; cursor: string },
    signal: AbortSignal,
  ): AsyncGenerator<ServerEvent | StreamPosition> {
    let { events, cursor } = page;
    let told = after;
    while (!signal.aborted) {
      for (const event of events.filter((candidate) => isWanted(candidate, filter))) {
        yield { id: event.id, event: event.type, data: event };
        told = event.id;
      }
      if (cursor !== told) yield { position: cursor };
      told = cursor;
      // Listening begins before the read: what is committed in between wakes us.
      const woken = new AbortController();
      const wake = waitForEvents(cp, AbortSignal.any([signal, woken.signal]), POLL_MS);
      try {
        ({ events, cursor } = await read(cursor));
        if (events.length === 0) await wake;
      } finally {
        woken.abort();
      }
    }
  }
}

const isWanted = (event: Event, filter: EventFilter): boolean =>
  filter.types.length === 0 || filter.types.some((type) => event.type === type || event.type.startsWith(`${type}.`));
