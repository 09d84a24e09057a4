import { Readable } from 'node:stream';
import { authenticate } from '@kvorum/control-plane';
import { DomainError } from '@kvorum/schema';
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import type { Answer } from '../answer.js';
import type { Download, MutationOptions, Route, RouteContext, RouteDeps, RouteRole } from '../define-route.js';
import { etagOf, generationWanted } from '../etag.js';
import { openEventStream, type ServerEvents } from '../event-stream.js';
import { idempotencyOf } from '../idempotency.js';
import type { PreparedSocket } from '../serve-console.js';
import { bearerOf } from './authentication.js';
import { refusalOfField } from './problem-json.js';
import { schemaOf } from './route-schema.js';
import type { StreamSeats } from './stream-seats.js';

export interface MountDeps extends RouteDeps {
  readonly heartbeatMs: number;
  readonly seats: StreamSeats;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** What a WebSocket route has prepared before the upgrade. */
    prepared: PreparedSocket | null;
  }
}

/** Turns a declared route into one of the server's. */
export function mountRoute(app: FastifyInstance, route: Route, deps: MountDeps): void {
  const options: RouteOptions = {
    method: route.method,
    url: route.url,
    schema: schemaOf(route),
    config: { role: route.role, ...(route.tag === 'meta' ? { rateLimit: false } : {}) },
    ...(route.upload === undefined ? {} : { bodyLimit: deps.imageBytesMax }),
    // HEAD of a stream would open one and never end it.
    exposeHeadRoute: !('stream' in route.answer) && route.answer.status !== 101,
    ...(route.answer.status === 101 ? socketOptions(route, deps) : {}),
    ...(route.isBodyOptional === true
      ? {
          preValidation: async (request: FastifyRequest) => {
            request.body ??= {};
          },
        }
      : {}),
    handler: async (request, reply) => {
      if (route.answer.status === 101) throw refusalOfField('header.upgrade', 'must be websocket');
      if (route.upload !== undefined) requireContent(request, route.upload);
      else if (route.body === undefined) refuseBody(request);
      const result = await route.handler(contextOf(route, request, deps));
      if ('open' in result) return sendEvents(result, request, reply, deps);
      if ('bytes' in result) return sendFile(route, result, reply);
      if ('serve' in result) throw new TypeError(`${route.url} is no WebSocket`);
      return sendAnswer(route, result, reply);
    },
  };
  if (route.upload === undefined) {
    app.route(options);
    return;
  }
  const mediaType = route.upload;
  // A scope of its own: this route alone takes bytes, and takes nothing else.
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      mediaType,
      (_request: unknown, content: unknown, done: (error: null, body: unknown) => void) => done(null, content),
    );
    scope.route(options);
  });
}

function requireContent(request: FastifyRequest, mediaType: string): void {
  if (!(request.body instanceof Readable)) throw refusalOfField('body', `is missing: send it as ${mediaType}`);
}

function refuseBody(request: FastifyRequest): void {
  const body = request.body;
  const isEmpty = body === undefined || body === null || (typeof body === 'object' && Object.keys(body).length === 0);
  if (!isEmpty) throw refusalOfField('body', 'this route takes none');
}

function contextOf(
  route: Route,
  request: FastifyRequest,
  deps: MountDeps,
): RouteContext<RouteRole, unknown, unknown, unknown> {
  const contentLength = request.headers['content-length'];
  return {
    ...deps,
    actor: request.actor,
    params: request.params,
    query: request.query,
    body: request.body,
    options: mutationOptionsOf(route, request),
    content: request.body as Readable,
    contentLengthBytes: contentLength === undefined ? null : Number(contentLength),
    header: (name) => {
      const value = request.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
  };
}

function mutationOptionsOf(route: Route, request: FastifyRequest): MutationOptions {
  const ifMatch = route.honours?.includes('if-match') ? generationWanted(request.headers['if-match']) : undefined;
  const key = route.honours?.includes('idempotency-key') ? request.headers['idempotency-key'] : undefined;
  const idempotency = idempotencyOf(typeof key === 'string' ? key : undefined, {
    method: route.method,
    url: route.url,
    params: request.params,
    body: request.body,
  });
  return {
    ...(ifMatch === undefined ? {} : { ifMatch }),
    ...(idempotency === undefined ? {} : { idempotency }),
  };
}

const PLAN_STATUS = 200;

function sendAnswer(route: Route, answer: Answer<unknown>, reply: FastifyReply): FastifyReply {
  if (answer.generation !== undefined) reply.header('etag', etagOf(answer.generation));
  if (answer.location !== undefined) reply.header('location', answer.location);
  reply.code(answer.isPlan === true ? PLAN_STATUS : route.answer.status).header('cache-control', 'no-store');
  return route.answer.status === 204 ? reply.send() : reply.send(answer.body);
}

/**
 * All that can be refused is refused before the upgrade, as a problem document. What was prepared is let go of when the connection
 * closes, whether or not a WebSocket came of it.
 */
function socketOptions(route: Route, deps: MountDeps): Pick<RouteOptions, 'preHandler' | 'wsHandler'> {
  return {
    preHandler: async (request) => {
      if (!request.ws) return;
      const prepared = await route.handler(contextOf(route, request, deps));
      if (!('serve' in prepared)) throw new TypeError(`${route.url} prepares no WebSocket`);
      request.prepared = prepared;
      if (request.raw.socket.destroyed) prepared.abandon();
      request.raw.socket.once('close', () => prepared.abandon());
    },
    wsHandler: (socket, request) => request.prepared?.serve(socket),
  };
}

function sendFile(route: Route, { bytes }: Download, reply: FastifyReply): FastifyReply {
  const mediaType = 'bytes' in route.answer ? route.answer.bytes : 'application/octet-stream';
  return reply.code(200).header('content-type', mediaType).header('cache-control', 'no-store').send(Buffer.from(bytes));
}

function sendEvents(events: ServerEvents, request: FastifyRequest, reply: FastifyReply, deps: MountDeps): FastifyReply {
  const secret = bearerOf(request);
  const leave = deps.seats.take(request.actor?.tokenId ?? request.ip);
  const body = openEventStream(events, {
    heartbeatMs: deps.heartbeatMs,
    stopping: deps.stopping,
    isStillAllowed: async () => {
      try {
        await authenticate(deps.cp, secret);
        return true;
      } catch (error) {
        // Only a refused token ends the stream: a database that is away for a moment does not.
        return !(error instanceof DomainError && error.code === 'unauthenticated');
      }
    },
    onFailure: (error) => request.log.warn({ err: error, requestId: request.id }, 'a stream of events broke off'),
  });
  body.once('close', leave);
  return (
    reply
      .code(200)
      .header('content-type', 'text/event-stream; charset=utf-8')
      .header('cache-control', 'no-store')
      // The connection ends with the stream: a stopping server must not wait for it to fall idle.
      .header('connection', 'close')
      .header('x-accel-buffering', 'no')
      .send(body)
  );
}
