import rateLimit from '@fastify/rate-limit';
import { DomainError } from '@kvorum/schema';
import type { FastifyInstance } from 'fastify';

export interface RequestRate {
  readonly requestCountMax: number;
  readonly windowMs: number;
}
/** 100 requests a second, sustained, for one token: a busy Terraform run makes about 20. */
export const REQUEST_RATE_DEFAULT: RequestRate = { requestCountMax: 6000, windowMs: 60_000 };
/** Tokens and addresses counted at once; past it the one unseen for longest starts anew. */
const KEY_COUNT_MAX = 10_000;

/** Bounds the requests of each token (of each address where there is no token). Routes of health opt out. */
export async function limitRate(app: FastifyInstance, rate: RequestRate): Promise<void> {
  await app.register(rateLimit, {
    global: true,
    max: rate.requestCountMax,
    timeWindow: rate.windowMs,
    cache: KEY_COUNT_MAX,
    enableDraftSpec: true,
    keyGenerator: (request) => request.actor?.tokenId ?? request.ip,
    errorResponseBuilder: (_request, limit) =>
      new DomainError('rate_limited', `more than ${limit.max} requests in ${rate.windowMs / 1000} s`, {
        details: { retryAfterSeconds: Math.max(1, Math.ceil(limit.ttl / 1000)) },
      }),
  });
}
