import { lookup } from 'node:dns';
import http from 'node:http';
import https from 'node:https';
import type { LookupFunction } from 'node:net';
import { DomainError } from '@kvorum/schema';
import { type ImageSources, literalAddress, requireAllowedHost, requirePublicAddress } from './public-address.js';

const REDIRECT_COUNT_MAX = 5;
/** From the request to the headers of its answer. */
const ANSWER_MS_MAX = 30_000;
/** Without a byte for this long the server is taken as gone. */
const SILENCE_MS_MAX = 60_000;
const OK = 200;
const PARTIAL = 206;
const NOT_FOUND_STATUSES = [404, 410];
const FORBIDDEN_STATUSES = [401, 403];
const REDIRECT_STATUSES = [301, 302, 303, 307, 308];

export interface OpenedUrl {
  readonly body: http.IncomingMessage;
  readonly contentLength: number | null;
  /** A strong validator (RFC 9110, 8.8.3), or null: then the rest alone cannot be asked for. */
  readonly entityTag: string | null;
  /** Is it the rest from the asked offset on, or all of it? */
  readonly isRest: boolean;
}

export interface RestOf {
  readonly offset: number;
  readonly entityTag: string;
}

/**
 * Opens what is published at the URL. Every hop of a redirect is held to the operator's rules anew, and the address is checked where
 * the connection is made, so that a name cannot mean one address when it is checked and another when it is used. Throws forbidden,
 * not_found, unavailable (worth another try).
 */
export async function openUrl(
  sources: ImageSources,
  url: string,
  signal: AbortSignal,
  rest: RestOf | null = null,
): Promise<OpenedUrl> {
  let target = new URL(url);
  for (let hop = 0; hop <= REDIRECT_COUNT_MAX; hop += 1) {
    const answer = await request(sources, target, signal, rest);
    const status = answer.statusCode ?? 0;
    if (!REDIRECT_STATUSES.includes(status)) return opened(answer, target, status);
    answer.destroy();
    target = nextHop(target, answer.headers.location);
  }
  throw new DomainError('unavailable', `${url} leads through more than ${REDIRECT_COUNT_MAX} redirects`);
}

function nextHop(from: URL, location: string | undefined): URL {
  if (location === undefined || !URL.canParse(location, from.href)) {
    throw new DomainError('unavailable', `${from.host} redirects to nowhere`);
  }
  const to = new URL(location, from);
  const isDowngrade = from.protocol === 'https:' && to.protocol !== 'https:';
  if (isDowngrade || !['https:', 'http:'].includes(to.protocol)) {
    throw new DomainError('forbidden', `${from.host} redirects from ${from.protocol} to ${to.protocol}`);
  }
  return to;
}

function request(
  sources: ImageSources,
  target: URL,
  signal: AbortSignal,
  rest: RestOf | null,
): Promise<http.IncomingMessage> {
  requireAllowedHost(sources, target.hostname);
  const literal = literalAddress(target.hostname);
  if (literal !== null) requirePublicAddress(sources, literal);
  const range = rest === null ? {} : { range: `bytes=${rest.offset}-`, 'if-range': rest.entityTag };
  const options = {
    // No agent: a connection is made for this request alone, by the lookup below.
    agent: false,
    lookup: checkedLookup(sources),
    headers: { 'user-agent': 'kvorum', accept: '*/*', 'accept-encoding': 'identity', ...range },
    signal,
  } as const;
  return new Promise((resolve, reject) => {
    const sent = (target.protocol === 'https:' ? https : http).request(target, options);
    const timer = setTimeout(() => sent.destroy(noAnswer(target)), ANSWER_MS_MAX);
    sent.setTimeout(SILENCE_MS_MAX, () => sent.destroy(noAnswer(target)));
    sent.once('response', (answer) => {
      clearTimeout(timer);
      resolve(answer);
    });
    sent.once('error', (error) => {
      clearTimeout(timer);
      reject(error instanceof DomainError ? error : asUnavailable(target, error));
    });
    sent.end();
  });
}

const checkedLookup =
  (sources: ImageSources): LookupFunction =>
  (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, '');
      try {
        for (const { address } of addresses) requirePublicAddress(sources, address);
      } catch (refusal) {
        return callback(refusal as Error, '');
      }
      const [first] = addresses;
      if (first === undefined) return callback(new Error(`${hostname} has no address`), '');
      if (options.all === true) return callback(null, addresses);
      callback(null, first.address, first.family);
    });
  };

function opened(answer: http.IncomingMessage, target: URL, status: number): OpenedUrl {
  if (status !== OK && status !== PARTIAL) {
    answer.destroy();
    throw new DomainError(codeOf(status), `${target.host} answers ${status} for ${target.pathname}`);
  }
  const length = answer.headers['content-length'];
  const tag = answer.headers.etag;
  return {
    body: answer,
    contentLength: length === undefined ? null : Number(length),
    entityTag: tag === undefined || tag.startsWith('W/') ? null : tag,
    isRest: status === PARTIAL,
  };
}

const codeOf = (status: number): 'not_found' | 'forbidden' | 'unavailable' => {
  if (NOT_FOUND_STATUSES.includes(status)) return 'not_found';
  return FORBIDDEN_STATUSES.includes(status) ? 'forbidden' : 'unavailable';
};

const noAnswer = (target: URL): DomainError => new DomainError('unavailable', `${target.host} does not answer`);

const asUnavailable = (target: URL, error: Error): DomainError =>
  new DomainError('unavailable', `${target.host} cannot be reached: ${error.message}`, { cause: error });
