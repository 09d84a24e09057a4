import { createHash } from 'node:crypto';
import { type Actor, authenticate, type ControlPlane } from '@kvorum/control-plane';
import { DomainError, roleCovers } from '@kvorum/schema';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AttemptLimiter } from '../attempt-limiter.js';
import type { RouteRole } from '../define-route.js';

declare module 'fastify' {
  interface FastifyRequest {
    actor: Actor | null;
  }
  interface FastifyContextConfig {
    /** Least role of a token; set by every route. */
    role?: RouteRole;
  }
}

/** RFC 6750 section 2.1, bounded: our tokens have 48 characters. */
const BEARER = /^Bearer +([A-Za-z0-9._~+/=-]{1,256})$/i;
/** Secrets have 256 bits, so this is not what keeps guessers out; it keeps them from wearing out the database. */
const FAILURES = { failureCountMax: 60, windowMs: 60_000, keyCountMax: 10_000 };
/** Tokens remembered as good, so that honest callers behind the address of a guesser are not held up. */
const KNOWN_TOKEN_COUNT_MAX = 10_000;

/**
 * Who asks, and whether the route's least role allows it: before the body is read, so that strangers cost nothing. Rules about
 * the object asked for (its project) are the use case's.
 */
export function authenticateRequests(app: FastifyInstance, cp: ControlPlane): void {
  const known = new Set<string>();
  const failures = new AttemptLimiter(FAILURES);

  app.decorateRequest('actor', null);
  app.addHook('onRoute', (route) => {
    if (route.config?.role !== undefined || route.url.startsWith('/docs')) return;
    throw new TypeError(`${String(route.method)} ${route.url} has no role: declare it with defineRoute`);
  });
  app.addHook('onRequest', async (request) => {
    const role = request.routeOptions.config.role;
    // Without a role it is the documentation's own page, or no route at all.
    if (request.is404 || role === undefined || role === 'public' || role === 'console-token') return;
    request.actor = await identify(request);
    if (roleCovers(request.actor.role, role)) return;
    throw new DomainError('forbidden', `this needs a token with role ${role}; yours has role ${request.actor.role}`, {
      details: { neededRole: role, role: request.actor.role },
    });
  });

  async function identify(request: FastifyRequest): Promise<Actor> {
    const secret = bearerOf(request);
    const hash = createHash('sha256').update(secret).digest('base64');
    const waitMs = known.has(hash) ? 0 : failures.waitMs(request.ip, Date.now());
    if (waitMs > 0) {
      throw new DomainError('rate_limited', 'too many requests with wrong tokens came from this address', {
        details: { retryAfterSeconds: Math.ceil(waitMs / 1000) },
      });
    }
    try {
      const actor = await authenticate(cp, secret);
      remember(hash);
      return actor;
    } catch (error) {
      if (error instanceof DomainError && error.code === 'unauthenticated') {
        known.delete(hash);
        failures.recordFailure(request.ip, Date.now());
      }
      throw error;
    }
  }

  function remember(hash: string): void {
    if (known.has(hash)) return;
    const oldest = known.values().next();
    if (known.size >= KNOWN_TOKEN_COUNT_MAX && !oldest.done) known.delete(oldest.value);
    known.add(hash);
  }
}

/** The token of a request; throws `unauthenticated`. */
export function bearerOf(request: FastifyRequest): string {
  const header = request.headers.authorization;
  if (header === undefined) {
    throw new DomainError('unauthenticated', 'header.authorization: a bearer token is needed', {
      details: { fields: [{ field: 'header.authorization', message: 'is missing' }] },
    });
  }
  const secret = BEARER.exec(header)?.[1];
  if (secret !== undefined) return secret;
  throw new DomainError('unauthenticated', 'header.authorization: must be "Bearer" and a token', {
    details: { fields: [{ field: 'header.authorization', message: 'must be "Bearer" and a token' }] },
  });
}
