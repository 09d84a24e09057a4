import { randomUUID } from 'node:crypto';
import websocket from '@fastify/websocket';
import type { ControlPlane } from '@kvorum/control-plane';
import { IMAGE_BYTES_MAX, KIB, USER_DATA_BYTES_MAX } from '@kvorum/schema';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { serializerCompiler } from 'fastify-type-provider-zod';
import { describeApi } from './plugins/api-description.js';
import { authenticateRequests } from './plugins/authentication.js';
import { compileValidator } from './plugins/input-validation.js';
import { parseJsonBodies } from './plugins/json-body.js';
import { mountRoute } from './plugins/mount-route.js';
import { answerUnknownRoutes } from './plugins/not-found.js';
import { answerProblems, sendProblem } from './plugins/problem-json.js';
import { limitRate, REQUEST_RATE_DEFAULT, type RequestRate } from './plugins/rate-limit.js';
import { sendSecurityHeaders } from './plugins/security-headers.js';
import { StreamSeats } from './plugins/stream-seats.js';
import { ALL_ROUTES } from './routes/all-routes.js';
import { CONSOLE_BOUNDS_DEFAULT, type ConsoleBounds } from './serve-console.js';

export interface AppDeps {
  readonly cp: ControlPlane;
  readonly log?: FastifyBaseLogger;
  readonly requestRate?: RequestRate;
  readonly imageBytesMax?: number;
  readonly heartbeatMs?: number;
  readonly consoleBounds?: ConsoleBounds;
}

/** Labels and rules, 64 KiB with room for escapes, and the user data of a VM, each character of which may be escaped as one more. */
const BODY_BYTES_MAX = 64 * KIB + 2 * USER_DATA_BYTES_MAX;
/** A connection on which nothing moves for so long is dead; streams of events send a heartbeat far more often. */
const SILENT_CONNECTION_MS_MAX = 120_000;
const HEARTBEAT_MS = 15_000;
const IDLE_SWEEP_MS = 100;
/** What a person types or pastes at once; a console's client sends more in pieces. */
const SOCKET_MESSAGE_BYTES_MAX = 64 * KIB;

/** The REST API on a control plane. Does not listen yet: tests inject requests, main listens. */
export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const app = Fastify({
    ...(deps.log === undefined ? { logger: false } : { loggerInstance: deps.log }),
    bodyLimit: BODY_BYTES_MAX,
    connectionTimeout: SILENT_CONNECTION_MS_MAX,
    genReqId: () => randomUUID(),
    logController: new LogController({ disableRequestLogging: true }),
    frameworkErrors: (error, request, reply) => sendProblem(error, request, reply),
  });
  const stopping = new AbortController();
  app.addHook('preClose', async () => {
    stopping.abort();
    if (!app.server.listening) return;
    // Node closes the connections that are idle now; those that fall idle while it waits would hold it up.
    const sweep = setInterval(() => app.server.closeIdleConnections(), IDLE_SWEEP_MS);
    app.server.once('close', () => clearInterval(sweep));
  });
  app.addHook('onSend', async (request, reply) => {
    reply.header('x-request-id', request.id);
  });
  app.addHook('onResponse', async (request, reply) => {
    request.log.debug(
      {
        requestId: request.id,
        method: request.method,
        route: request.routeOptions.url,
        status: reply.statusCode,
        token: request.actor?.tokenId,
        durationMs: Math.round(reply.elapsedTime),
      },
      'answered',
    );
  });
  app.setValidatorCompiler(compileValidator as never);
  app.setSerializerCompiler(serializerCompiler);
  answerProblems(app);
  parseJsonBodies(app);
  answerUnknownRoutes(app);
  await sendSecurityHeaders(app);
  await app.register(websocket, { options: { maxPayload: SOCKET_MESSAGE_BYTES_MAX, perMessageDeflate: false } });
  app.decorateRequest('prepared', null);
  authenticateRequests(app, deps.cp);
  await limitRate(app, deps.requestRate ?? REQUEST_RATE_DEFAULT);
  await describeApi(app);

  const mountDeps = {
    app,
    cp: deps.cp,
    stopping: stopping.signal,
    imageBytesMax: deps.imageBytesMax ?? IMAGE_BYTES_MAX,
    heartbeatMs: deps.heartbeatMs ?? HEARTBEAT_MS,
    consoleBounds: deps.consoleBounds ?? CONSOLE_BOUNDS_DEFAULT,
    seats: new StreamSeats(),
  };
  for (const route of ALL_ROUTES) mountRoute(app, route, mountDeps);
  return app;
}
