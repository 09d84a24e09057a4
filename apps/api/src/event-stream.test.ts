import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import { frameOf, openEventStream, type ServerEvent, type ServerEvents, type StreamOptions } from './event-stream.js';

const options = (changes: Partial<StreamOptions> = {}): StreamOptions => ({
  heartbeatMs: 60_000,
  stopping: new AbortController().signal,
  isStillAllowed: async () => true,
  onFailure: () => {},
  ...changes,
});
const textOf = async (source: ServerEvents, changes: Partial<StreamOptions> = {}): Promise<string> => {
  let text = '';
  for await (const chunk of openEventStream(source, options(changes))) text += String(chunk);
  return text;
};
const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

describe('a stream of events', () => {
  it('frames events with id, name and one line of JSON', () => {
    expect(frameOf({ id: '4', event: 'vm.state', data: { text: 'a\nb' } })).toBe(
      'id: 4\nevent: vm.state\ndata: {"text":"a\\nb"}\n\n',
    );
    expect(frameOf({ position: '9' })).toBe(': position\nid: 9\n\n');
  });

  it('sends what its source yields and ends with it', async () => {
    const source = {
      async *open() {
        yield { event: 'one', data: 1 };
        yield { event: 'two', data: 2 };
      },
    };
    expect(await textOf(source)).toBe('retry: 2000\n\nevent: one\ndata: 1\n\nevent: two\ndata: 2\n\n');
  });

  it('ends at a heartbeat when the reader is no longer allowed, and tells its source', async () => {
    let isSourceTold = false;
    let heartbeatCount = 0;
    const source: ServerEvents = {
      // biome-ignore lint/correctness/useYield: a source in which nothing happens.
      async *open(signal): AsyncGenerator<ServerEvent> {
        await aborted(signal);
        isSourceTold = true;
      },
    };
    const text = await textOf(source, {
      heartbeatMs: 5,
      isStillAllowed: async () => {
        heartbeatCount += 1;
        return heartbeatCount < 3;
      },
    });
    expect(text).toBe('retry: 2000\n\n: heartbeat\n\n: heartbeat\n\n');
    await expect.poll(() => isSourceTold).toBe(true);
  });

  it('ends when the server stops', async () => {
    const stopping = new AbortController();
    const source: ServerEvents = {
      async *open(signal) {
        yield { event: 'one', data: 1 };
        stopping.abort();
        await aborted(signal);
      },
    };
    expect(await textOf(source, { stopping: stopping.signal })).toBe('retry: 2000\n\nevent: one\ndata: 1\n\n');
  });

  it('reports a failing source and ends', async () => {
    const failures: unknown[] = [];
    const failure = new Error('database is gone');
    const source: ServerEvents = {
      // biome-ignore lint/correctness/useYield: a source that fails before its first event.
      async *open(): AsyncGenerator<ServerEvent> {
        throw failure;
      },
    };
    expect(await textOf(source, { onFailure: (error) => failures.push(error) })).toBe('retry: 2000\n\n');
    expect(failures).toEqual([failure]);
  });

  it('does not run ahead of a slow reader', async () => {
    let pulled = 0;
    const source: ServerEvents = {
      async *open() {
        for (let i = 0; i < 50; i += 1) {
          pulled += 1;
          yield { event: 'tick', data: i };
        }
      },
    };
    let written = 0;
    let lead = 0;
    const slow = new Writable({
      highWaterMark: 1,
      write(_chunk, _encoding, done) {
        written += 1;
        lead = Math.max(lead, pulled - written);
        setImmediate(done);
      },
    });
    await pipeline(openEventStream(source, options()), slow);
    expect(pulled).toBe(50);
    expect(lead).toBeLessThanOrEqual(3);
  });
});
