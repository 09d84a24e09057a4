import { describe, expect, it } from 'vitest';
import type { Sleep } from './backoff.js';
import { readEventStream } from './server-sent-events.js';

type Reply = string | number | Error;
const REQUEST = { url: 'http://site.example/v1/events', headers: { authorization: 'Bearer t' }, lastEventId: null };

/** Each connection gets the next reply: text of a stream that then ends, a status, or no answer. Aborts when they run out. */
function script(...replies: readonly Reply[]) {
  const resumedAt: (string | null)[] = [];
  const waitsMs: number[] = [];
  const abort = new AbortController();
  const fetch = async (request: Request): Promise<Response> => {
    const reply = replies[resumedAt.length];
    resumedAt.push(request.headers.get('last-event-id'));
    if (reply === undefined) {
      abort.abort();
      throw new TypeError('aborted');
    }
    if (reply instanceof Error) throw reply;
    if (typeof reply === 'number') return new Response('{}', { status: reply });
    return new Response(new Blob([reply]).stream(), { headers: { 'content-type': 'text/event-stream' } });
  };
  const sleep: Sleep = async (delayMs) => {
    waitsMs.push(delayMs);
  };
  const read = async () => {
    const events: string[] = [];
    for await (const event of readEventStream(fetch, sleep, { ...REQUEST, signal: abort.signal }))
      events.push(event.data);
    return events;
  };
  return { read, resumedAt, waitsMs, abort };
}

describe('reading a stream of events', () => {
  it('goes on after the last event seen when a connection ends', async () => {
    const { read, resumedAt } = script('id: 1\ndata: a\n\nid: 2\ndata: b\n\n', 'id: 3\ndata: c\n\n');
    expect(await read()).toEqual(['a', 'b', 'c']);
    expect(resumedAt).toEqual([null, '2', '3']);
  });

  it('drops an event that a broken connection cut in two', async () => {
    const { read } = script('id: 1\ndata: a\n\nid: 2\ndata: b', 'id: 2\ndata: b\n\n');
    expect(await read()).toEqual(['a', 'b']);
  });

  it('goes on from a position that came without an event', async () => {
    const { read, resumedAt } = script(': position\nid: 7\n\n', 'id: 9\ndata: a\n\n: position\nid: 12\n\n');
    expect(await read()).toEqual(['a']);
    expect(resumedAt).toEqual([null, '7', '12']);
  });

  it('comes back after a refused connection and after a busy server', async () => {
    const { read, resumedAt } = script(new TypeError('fetch failed'), 503, 'data: a\n\n');
    expect(await read()).toEqual(['a']);
    expect(resumedAt.length).toBe(4);
  });

  it('waits as long as the server asks between connections', async () => {
    const { read, waitsMs } = script('retry: 2000\n\n');
    await read();
    expect(waitsMs[0]).toBe(2000);
  });

  it.each([401, 403, 404])('ends with the refusal when the answer is %i', async (status) => {
    await expect(script(status).read()).rejects.toMatchObject({ status });
  });

  it('gives up when no answer comes several times in a row', async () => {
    const down = new TypeError('fetch failed');
    const { read, resumedAt } = script(...Array.from({ length: 20 }, () => down));
    await expect(read()).rejects.toMatchObject({ code: 'unreachable' });
    expect(resumedAt.length).toBe(6);
  });

  it('ignores heartbeats', async () => {
    expect(await script(': heartbeat\n\ndata: a\n\n: heartbeat\n\n').read()).toEqual(['a']);
  });
});
