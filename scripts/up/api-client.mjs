// As much of a REST client as `up` needs, on Node's fetch: it has to run on a fresh clone.
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 250;
const OPERATION_TIMEOUT_MS = 300_000;
const PAGE_SIZE = 500;

/** The API refused: the message is the problem document's own words. */
export class ApiRefused extends Error {
  constructor(method, path, problem) {
    const fields = (problem.errors ?? []).map((entry) => `${entry.field}: ${entry.message}`).join('; ');
    super(
      `${method} ${path}: ${problem.code ?? problem.status}: ${problem.detail ?? problem.title ?? ''} ${fields}`.trim(),
    );
    this.code = problem.code;
  }
}

export const createApiClient = ({ url, token, signal }) => {
  const call = async (method, path, { body, content, contentLength, callSignal = signal } = {}) => {
    const headers = { authorization: `Bearer ${token}`, accept: 'application/json' };
    if (method === 'POST') headers['idempotency-key'] = randomUUID();
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (content !== undefined) {
      headers['content-type'] = 'application/octet-stream';
      headers['content-length'] = String(contentLength);
    }
    const payload = content ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await fetch(`${url}${path}`, {
      method,
      headers,
      ...(payload === undefined ? {} : { body: payload, duplex: 'half' }),
      ...(callSignal ? { signal: callSignal } : {}),
    });
    const text = await response.text();
    const answer = text === '' ? null : JSON.parse(text);
    if (!response.ok) throw new ApiRefused(method, path, answer ?? { status: response.status });
    return answer;
  };

  const list = async (path, query = {}, options = {}) => {
    const items = [];
    let cursor;
    do {
      const parameters = new URLSearchParams({ ...query, limit: String(PAGE_SIZE), ...(cursor ? { cursor } : {}) });
      const page = await call('GET', `${path}?${parameters}`, options);
      items.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor);
    return items;
  };

  /** Waits until an operation is final; `report(text)` gets the step it is at. Throws unless it succeeded. */
  const waitForOperation = async (operation, { report = () => {}, callSignal = signal } = {}) => {
    const deadline = Date.now() + OPERATION_TIMEOUT_MS;
    let current = operation;
    for (;;) {
      const active = current.steps.find((step) => step.state === 'running' || step.state === 'undoing');
      report(active ? `${current.state}: ${active.name}` : current.state);
      if (current.state === 'succeeded') return current;
      if (['failed', 'cancelled', 'stuck'].includes(current.state)) {
        const { code = 'no error', message = '' } = current.error ?? {};
        throw new Error(`operation ${current.id} (${current.kind}) is ${current.state}: ${code}: ${message}`);
      }
      if (Date.now() > deadline) throw new Error(`operation ${current.id} (${current.kind}) takes too long`);
      await delay(POLL_MS, undefined, callSignal ? { signal: callSignal } : {});
      current = await call('GET', `/v1/operations/${current.id}`, { callSignal });
    }
  };
  return { call, list, waitForOperation };
};

/** Asks `check` until it answers something other than null or the time is over; then throws `failure()`. */
export const poll = async ({ timeoutMs, signal, failure }, check) => {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const answer = await check();
    if (answer !== null) return answer;
    if (Date.now() > deadline) throw new Error(await failure());
    await delay(POLL_MS, undefined, signal ? { signal } : {});
  }
};
