import { describe, expect, it } from 'vitest';
import type { Sleep } from './backoff.js';
import { KvorumError } from './kvorum-error.js';
import { retryingFetch } from './retrying-fetch.js';

const URL_OF_VMS = 'http://site.example/v1/vms';
const UNREACHABLE = new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED 10.0.0.1:7080') });

type Reply = Response | Error;
const answer = (status: number, retryAfter?: string): Response =>
  new Response('{}', { status, headers: retryAfter === undefined ? {} : { 'retry-after': retryAfter } });

/** Plays the replies one after the other, the last one for ever, and notes bodies and waits. */
function script(...replies: readonly (() => Reply)[]) {
  const bodies: string[] = [];
  const waitsMs: number[] = [];
  const sleep: Sleep = async (delayMs) => {
    waitsMs.push(delayMs);
  };
  const fetch = retryingFetch(async (request) => {
    const reply = replies[Math.min(bodies.length, replies.length - 1)]?.() ?? UNREACHABLE;
    bodies.push(await request.text());
    if (reply instanceof Error) throw reply;
    return reply;
  }, sleep);
  return { fetch, bodies, waitsMs };
}

const GET = { method: 'GET' };
const DELETE = { method: 'DELETE' };
const POST = { method: 'POST', body: '{"a":1}' };
const KEYED_POST = { ...POST, headers: { 'idempotency-key': 'k1' } };

describe('a request is sent again only where that is safe', () => {
  const table: [string, RequestInit, Reply[], number | 'unreachable', number][] = [
    ['an answer is an answer', GET, [answer(200)], 200, 1],
    ['a refusal is an answer', GET, [answer(404)], 404, 1],
    ['a bug of the server is not repeated', GET, [answer(500)], 500, 1],
    ['503 to a GET', GET, [answer(503), answer(200)], 200, 2],
    ['429 to a GET', GET, [answer(429), answer(429), answer(200)], 200, 3],
    ['no answer to a GET', GET, [UNREACHABLE, answer(200)], 200, 2],
    ['no answer to a DELETE', DELETE, [UNREACHABLE, answer(202)], 202, 2],
    ['no answer to a POST without a key', POST, [UNREACHABLE, answer(201)], 'unreachable', 1],
    ['503 to a POST without a key', POST, [answer(503), answer(201)], 503, 1],
    ['no answer to a POST with a key', KEYED_POST, [UNREACHABLE, answer(202)], 202, 2],
    ['503 to a POST with a key', KEYED_POST, [answer(503), answer(202)], 202, 2],
    ['503 for ever', GET, [answer(503)], 503, 6],
    ['no answer for ever', GET, [UNREACHABLE], 'unreachable', 6],
    ['told to wait too long', GET, [answer(503, '31'), answer(200)], 503, 1],
  ];
  it.each(table)('%s', async (_name, init, replies, expected, attemptCount) => {
    const { fetch, bodies } = script(
      ...replies.map((reply) => () => (reply instanceof Response ? reply.clone() : reply)),
    );
    const outcome = await fetch(new Request(URL_OF_VMS, init)).catch((error: unknown) => error);
    const seen = outcome instanceof Response ? outcome.status : outcome instanceof KvorumError ? outcome.code : outcome;
    expect(seen).toBe(expected);
    expect(bodies).toEqual(Array.from({ length: attemptCount }, () => init.body ?? ''));
  });

  it('waits as long as Retry-After says, in seconds or until a date', async () => {
    const past = new Date(0).toUTCString();
    const { fetch, waitsMs } = script(
      () => answer(503, '3'),
      () => answer(503, past),
      () => answer(200),
    );
    await fetch(new Request(URL_OF_VMS));
    expect(waitsMs).toEqual([3000, 0]);
  });

  it('backs off by doubling, with at least half of each delay', async () => {
    const { fetch, waitsMs } = script(() => answer(503));
    await fetch(new Request(URL_OF_VMS));
    const full = [250, 500, 1000, 2000, 4000];
    expect(waitsMs.length).toBe(full.length);
    for (const [at, waitMs] of waitsMs.entries()) {
      expect(waitMs).toBeGreaterThanOrEqual((full[at] as number) / 2);
      expect(waitMs).toBeLessThanOrEqual(full[at] as number);
    }
  });

  it('says what was in the way', async () => {
    const { fetch } = script(() => UNREACHABLE);
    await expect(fetch(new Request(URL_OF_VMS, POST))).rejects.toMatchObject({
      code: 'unreachable',
      status: null,
      detail: 'no answer from http://site.example: connect ECONNREFUSED 10.0.0.1:7080',
    });
  });

  it('ends with the reason of the caller who aborts, and does not try again', async () => {
    const abort = new AbortController();
    const reason = new RangeError('enough');
    const { fetch, bodies } = script(() => {
      abort.abort(reason);
      return UNREACHABLE;
    });
    await expect(fetch(new Request(URL_OF_VMS, { signal: abort.signal }))).rejects.toBe(reason);
    expect(bodies.length).toBe(1);
  });
});
