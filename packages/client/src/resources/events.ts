import { readEventStream } from '../server-sent-events.js';
import type { KvorumEvent } from '../shapes.js';
import type { CallOptions, Transport } from '../transport.js';

export interface EventsFilter extends CallOptions {
  /** Id of an event: begin after it. Default: from now on. */
  readonly after?: string;
  /** Types, or their first words, divided by commas: `vm.state,operation`. */
  readonly type?: string;
  readonly resourceId?: string;
}

export const eventCalls = (transport: Transport) => ({
  /** What changes, as it happens, over broken connections as well; ends when the signal is aborted. */
  async *watch({ after, type, resourceId, signal }: EventsFilter = {}): AsyncGenerator<KvorumEvent> {
    const messages = readEventStream(transport.fetch, transport.sleep, {
      url: transport.urlOf('/v1/events', { after, type, resourceId }),
      headers: transport.headers,
      lastEventId: null,
      signal: signal ?? new AbortController().signal,
    });
    for await (const message of messages) yield JSON.parse(message.data) as KvorumEvent;
  },
});
