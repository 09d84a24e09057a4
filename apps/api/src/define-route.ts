import type { Readable } from 'node:stream';
import type { Actor, ControlPlane, Idempotency } from '@kvorum/control-plane';
import type { ErrorCode, Role } from '@kvorum/schema';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Answer } from './answer.js';
import type { ServerEvents } from './event-stream.js';
import type { ConsoleBounds, PreparedSocket } from './serve-console.js';

/** Least role a token needs; `public` routes take no token at all, `console-token` ones check one of their own. */
export type RouteRole = Role | 'public' | 'console-token';
export type RouteTag =
  | 'events'
  | 'flavors'
  | 'floating-addresses'
  | 'host-groups'
  | 'hosts'
  | 'images'
  | 'meta'
  | 'networks'
  | 'operations'
  | 'placements'
  | 'projects'
  | 'security-groups'
  | 'storage-pools'
  | 'tokens'
  | 'vm-groups'
  | 'vms'
  | 'vm-templates'
  | 'volumes';

const NoFields = z.strictObject({});
type NoFields = typeof NoFields;

/** What every handler may use. Handlers get all they need here; there are no globals. */
export interface RouteDeps {
  readonly cp: ControlPlane;
  /** Aborted when the server stops. */
  readonly stopping: AbortSignal;
  readonly imageBytesMax: number;
  readonly consoleBounds: ConsoleBounds;
  readonly app: FastifyInstance;
}

export interface RouteContext<R extends RouteRole, Params, Query, Body> extends RouteDeps {
  readonly actor: R extends Role ? Actor : null;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** Idempotency-Key and If-Match of routes that honour them, as use cases take them. */
  readonly options: MutationOptions;
  /** Body of routes with `upload`. */
  readonly content: Readable;
  readonly contentLengthBytes: number | null;
  readonly header: (name: string) => string | undefined;
}

export interface MutationOptions {
  readonly idempotency?: Idempotency;
  readonly ifMatch?: number;
}

interface RouteHead<
  R extends RouteRole,
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodType,
> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: string;
  readonly operationId: string;
  readonly tag: RouteTag;
  readonly summary: string;
  readonly description: string;
  readonly role: R;
  readonly params?: Params;
  readonly query?: Query;
  readonly body?: Body;
  /** A request without a body means one with all defaults. */
  readonly isBodyOptional?: boolean;
  /** The body is bytes of this media type, handed on as a stream and never parsed. */
  readonly upload?: 'application/octet-stream';
  readonly honours?: readonly ('idempotency-key' | 'if-match')[];
  /** Codes of its own; those that every route of its kind may answer with are added. */
  readonly errors: readonly ErrorCode[];
  /** A body to show in the documentation; a test proves that it is valid. */
  readonly example?: z.input<Body>;
}

interface JsonRoute<
  R extends RouteRole,
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Reply extends z.ZodType,
  Plan extends z.ZodType,
> extends RouteHead<R, Params, Query, Body> {
  readonly answer: {
    readonly status: 200 | 201 | 202 | 204;
    readonly description: string;
    readonly body: Reply;
    readonly headers?: readonly ('etag' | 'location')[];
  };
  /** What `?dryRun=plan` is answered with, under status 200. */
  readonly plan?: { readonly description: string; readonly body: Plan };
  handler(
    context: RouteContext<R, z.output<Params>, z.output<Query>, z.output<Body>>,
  ): Promise<Answer<z.output<Reply>> | Answer<z.output<Plan>>>;
}

interface StreamRoute<R extends RouteRole, Params extends z.ZodObject, Query extends z.ZodObject>
  extends RouteHead<R, Params, Query, z.ZodType> {
  readonly answer: { readonly status: 200; readonly description: string; readonly stream: 'text/event-stream' };
  /** Refusals are thrown from here, before the stream opens. */
  handler(context: RouteContext<R, z.output<Params>, z.output<Query>, unknown>): Promise<ServerEvents>;
}

interface SocketRoute<R extends RouteRole, Params extends z.ZodObject, Query extends z.ZodObject>
  extends RouteHead<R, Params, Query, z.ZodType> {
  readonly answer: { readonly status: 101; readonly description: string };
  /** Refusals are thrown from here, before the socket opens. */
  handler(context: RouteContext<R, z.output<Params>, z.output<Query>, unknown>): Promise<PreparedSocket>;
}

/** A file as the answer. */
export interface Download {
  readonly bytes: Uint8Array;
}

interface DownloadRoute<R extends RouteRole, Params extends z.ZodObject, Query extends z.ZodObject>
  extends RouteHead<R, Params, Query, z.ZodType> {
  readonly answer: { readonly status: 200; readonly description: string; readonly bytes: 'image/png' };
  handler(context: RouteContext<R, z.output<Params>, z.output<Query>, unknown>): Promise<Download>;
}

/** A route with its types worn off: what the server mounts. */
export interface Route extends RouteHead<RouteRole, z.ZodObject, z.ZodObject, z.ZodType> {
  readonly answer:
    | {
        readonly status: 200 | 201 | 202 | 204;
        readonly description: string;
        readonly body: z.ZodType;
        readonly headers?: readonly ('etag' | 'location')[];
      }
    | { readonly status: 200; readonly description: string; readonly stream: 'text/event-stream' }
    | { readonly status: 200; readonly description: string; readonly bytes: 'image/png' }
    | { readonly status: 101; readonly description: string };
  readonly plan?: { readonly description: string; readonly body: z.ZodType };
  handler(
    context: RouteContext<RouteRole, unknown, unknown, unknown>,
  ): Promise<Answer<unknown> | ServerEvents | Download | PreparedSocket>;
}

/**
 * Declares an endpoint: how it is called, who may, what it takes and gives, how it fails. The role is required by the type,
 * so an endpoint without one cannot exist. Query and path refuse fields they do not know, as bodies do.
 */
export const defineRoute = <
  R extends RouteRole,
  Reply extends z.ZodType,
  Params extends z.ZodObject = NoFields,
  Query extends z.ZodObject = NoFields,
  Body extends z.ZodType = NoFields,
  Plan extends z.ZodType = z.ZodNever,
>(
  route: JsonRoute<R, Params, Query, Body, Reply, Plan>,
): Route => route as unknown as Route;

/** As defineRoute, for an endpoint that answers with a stream of server-sent events. */
export const defineStream = <
  R extends RouteRole,
  Params extends z.ZodObject = NoFields,
  Query extends z.ZodObject = NoFields,
>(
  route: StreamRoute<R, Params, Query>,
): Route => route as unknown as Route;

/** As defineRoute, for an endpoint that becomes a WebSocket. */
export const defineSocket = <
  R extends RouteRole,
  Params extends z.ZodObject = NoFields,
  Query extends z.ZodObject = NoFields,
>(
  route: SocketRoute<R, Params, Query>,
): Route => route as unknown as Route;

/** As defineRoute, for an endpoint that answers with a file. */
export const defineDownload = <
  R extends RouteRole,
  Params extends z.ZodObject = NoFields,
  Query extends z.ZodObject = NoFields,
>(
  route: DownloadRoute<R, Params, Query>,
): Route => route as unknown as Route;
