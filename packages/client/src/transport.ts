import createClient, { type Client } from 'openapi-fetch';
import { type Sleep, sleep } from './backoff.js';
import type { paths } from './generated/api.js';
import { honoursIdempotencyKey } from './idempotent-calls.js';
import { errorOfAnswer, KvorumError, unreachable } from './kvorum-error.js';
import { type Fetch, IDEMPOTENCY_KEY_HEADER, retryingFetch } from './retrying-fetch.js';

export interface ClientOptions {
  /** Where the control plane listens: `http://127.0.0.1:7080`. */
  readonly baseUrl: string;
  /** An API token. */
  readonly token: string;
  /** Default: the runtime's own. */
  readonly fetch?: Fetch;
  /** Limit for one attempt of a call, in ms; streams and uploads have none. */
  readonly timeoutMs?: number;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}
export interface MutationOptions extends CallOptions {
  /** Default: a fresh one per call, so that a call may be sent again when no answer came. */
  readonly idempotencyKey?: string;
  /** Generation of the object as it was read; if it has changed since, the call is refused. */
  readonly ifMatch?: number;
}

/** Longer than the control plane gives its own slowest call. */
const TIMEOUT_MS_DEFAULT = 30_000;

/** How all calls travel: one place for the token, retries, time limits and errors. */
export interface Transport {
  readonly api: Client<paths, 'application/json'>;
  /** Body of a successful answer; anything else is thrown as KvorumError. */
  bodyOf<Data>(call: Promise<{ data?: Data }>, options?: CallOptions): Promise<Data>;
  /** For what is no JSON call: one attempt, no time limit. */
  readonly fetch: Fetch;
  readonly sleep: Sleep;
  urlOf(path: string, query?: Readonly<Record<string, string | undefined>>): string;
  readonly headers: Readonly<Record<string, string>>;
}

export function openTransport(options: ClientOptions): Transport {
  const baseUrl = baseUrlOf(options.baseUrl);
  const fetch = options.fetch ?? ((request: Request) => globalThis.fetch(request));
  const headers = { authorization: `Bearer ${options.token}` };
  const limited = limitTime(fetch, options.timeoutMs ?? TIMEOUT_MS_DEFAULT);
  const api = createClient<paths, 'application/json'>({ baseUrl, fetch: retryingFetch(limited, sleep), headers });
  api.use({
    onRequest: ({ request, schemaPath }) => {
      if (honoursIdempotencyKey(request.method, schemaPath) && !request.headers.has(IDEMPOTENCY_KEY_HEADER)) {
        request.headers.set(IDEMPOTENCY_KEY_HEADER, crypto.randomUUID());
      }
    },
    onResponse: async ({ response }) => {
      if (!response.ok || !isExpectedBody(response)) throw await errorOfAnswer(response);
    },
  });
  return {
    api,
    bodyOf: (call, callOptions) => bodyOf(baseUrl, call, callOptions),
    fetch,
    sleep,
    headers,
    urlOf: (path, query = {}) => {
      const url = new URL(baseUrl + path);
      for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
      return url.href;
    },
  };
}

/** Headers and signal of one call, as openapi-fetch takes them. */
export function initOf(options: MutationOptions = {}): { headers: Record<string, string>; signal?: AbortSignal } {
  return {
    headers: {
      ...(options.idempotencyKey === undefined ? {} : { [IDEMPOTENCY_KEY_HEADER]: options.idempotencyKey }),
      ...(options.ifMatch === undefined ? {} : { 'if-match': `"${options.ifMatch}"` }),
    },
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  };
}

const NO_CONTENT = 204;
const isExpectedBody = (response: Response): boolean =>
  response.status === NO_CONTENT ||
  /^(application\/json|image\/png)\b/.test(response.headers.get('content-type') ?? '');

/** A limit per attempt. What it cuts off counts as no answer, and may be tried again. */
const limitTime =
  (fetch: Fetch, timeoutMs: number): Fetch =>
  (request) =>
    fetch(new Request(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]) }));

async function bodyOf<Data>(baseUrl: string, call: Promise<{ data?: Data }>, options?: CallOptions): Promise<Data> {
  try {
    return (await call).data as Data;
  } catch (error) {
    if (error instanceof KvorumError || options?.signal?.aborted === true) throw error;
    // The answer began and broke off, or took too long to come.
    throw unreachable(baseUrl, error);
  }
}

/** Refuses what is no http(s) address before a token is sent anywhere. */
function baseUrlOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new KvorumError({
      code: 'invalid_request',
      status: null,
      detail: `the address of the control plane must be an http or https URL, not "${text}"`,
      remedy: 'Give it as http://host:7080 or https://host.',
    });
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}
