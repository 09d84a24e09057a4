import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach } from 'vitest';
import { runCli } from '../src/run-cli.js';

export const TOKEN = 'kvt1_test';

export interface Call {
  readonly call: string;
  readonly query: Record<string, string>;
  readonly body: unknown;
  readonly headers: Record<string, unknown>;
}
/** What is answered: a body with 200, a whole answer, or events of a stream. */
export type Reply =
  | { readonly status: number; readonly body?: unknown }
  | { readonly events: readonly (readonly [type: string, data: unknown])[]; readonly isOpen?: boolean }
  | ((call: Call) => Reply);

export const ok = (body: unknown): Reply => ({ status: 200, body });
export const page = (...items: readonly unknown[]): Reply => ok({ items, nextCursor: null });
export const problem = (status: number, code: string, detail: string, more: object = {}): Reply => ({
  status,
  body: {
    type: `/v1/errors/${code}`,
    title: code,
    status,
    code,
    detail,
    remedy: 'Do better.',
    requestId: 'r-1',
    ...more,
  },
});

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

export interface Double {
  readonly url: string;
  readonly calls: Call[];
  readonly folder: string;
  readonly loginFile: string;
  run(args: string, options?: RunOptions): Promise<Run>;
}
export interface RunOptions {
  readonly stdin?: string;
  readonly isTerminal?: boolean;
  readonly isLoggedIn?: boolean;
  readonly isColourless?: boolean;
  /** Presses Ctrl-C once the text has appeared on stderr or stdout. */
  readonly interruptAfter?: string;
}
export interface Run {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A server that speaks the API's shapes and takes the token only, and a kvorum that calls it. */
export async function openDouble(routes: Readonly<Record<string, Reply>>): Promise<Double> {
  const calls: Call[] = [];
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://double');
    const raw = await text(request);
    const isJson = request.headers['content-type']?.startsWith('application/json') === true;
    const call = {
      call: `${request.method} ${url.pathname}`,
      query: Object.fromEntries(url.searchParams),
      body: isJson ? JSON.parse(raw) : raw,
      headers: request.headers,
    };
    calls.push(call);
    const isAllowed = request.headers.authorization === `Bearer ${TOKEN}`;
    const reply = routes[call.call] ?? problem(404, 'not_found', `no route ${call.call}`);
    send(response, isAllowed ? reply : problem(401, 'unauthenticated', 'the token is not valid'), call);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const folder = mkdtempSync(join(tmpdir(), 'kvorum-cli-'));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, `${TOKEN}\n`);
  const loginFile = join(folder, 'config', 'kvorum', 'config.json');
  return {
    url,
    calls,
    folder,
    loginFile,
    run: (args, options) => runKvorum({ url, tokenFile, loginFile }, args, options),
  };
}

function send(response: ServerResponse, reply: Reply, call: Call): void {
  if (typeof reply === 'function') {
    send(response, reply(call), call);
    return;
  }
  if ('events' in reply) {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('retry: 1\n\n');
    for (const [type, data] of reply.events) response.write(`event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
    if (reply.isOpen !== true) response.end();
    return;
  }
  if (reply.body === undefined) {
    response.writeHead(reply.status).end();
    return;
  }
  const type = reply.status < 400 ? 'application/json' : 'application/problem+json';
  response.writeHead(reply.status, { 'content-type': type }).end(JSON.stringify(reply.body));
}

export async function runKvorum(
  at: { url: string; tokenFile: string; loginFile: string },
  args: string,
  options: RunOptions = {},
): Promise<Run> {
  const isTTY = options.isTerminal === true;
  const [stdout, stderr] = [Object.assign(new PassThrough(), { isTTY }), Object.assign(new PassThrough(), { isTTY })];
  const seen = { stdout: '', stderr: '' };
  let interrupt = () => {};
  const note = (name: keyof typeof seen) => (chunk: Buffer) => {
    seen[name] += chunk.toString();
    if (options.interruptAfter !== undefined && seen[name].includes(options.interruptAfter)) interrupt();
  };
  stdout.on('data', note('stdout'));
  stderr.on('data', note('stderr'));
  const isLoggedIn = options.isLoggedIn !== false;
  const exitCode = await runCli(splitWords(args), {
    stdin: Object.assign(Readable.from([options.stdin ?? '']), { isTTY: false }),
    stdout,
    stderr,
    environment: {
      url: isLoggedIn ? at.url : undefined,
      tokenFile: isLoggedIn ? at.tokenFile : undefined,
      loginFile: at.loginFile,
      isColourless: options.isColourless === true,
    },
    onInterrupt: (listener) => {
      interrupt = listener;
      return () => {
        interrupt = () => {};
      };
    },
  });
  // Written data reaches the listeners in the next turn.
  await new Promise(setImmediate);
  return { exitCode, ...seen };
}

const splitWords = (args: string): string[] =>
  [...args.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
