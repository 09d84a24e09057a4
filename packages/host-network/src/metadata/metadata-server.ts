import { createServer, type Server as HttpServer } from 'node:http';
import type { Server, Socket } from 'node:net';
import { METADATA_ADDRESS } from '@kvorum/schema';
import type { Command } from '../plan-links.js';
import type { Instance } from './answer-metadata.js';
import { handleRequest } from './handle-request.js';
import { MetadataTokens } from './metadata-tokens.js';
import { takeListener } from './take-listener.js';

const PORT = 80;
/** Of a network, at once; of one guest, so that none keeps the others out. */
const CONNECTIONS_MAX = 128;
const CONNECTIONS_PER_GUEST_MAX = 8;
/** Everything is answered from memory: who takes longer is not reading. */
const CONNECTION_MS_MAX = 10_000;
/** A path, a token and what programs send of themselves. */
const HEADER_BYTES_MAX = 4096;

/** What is said to whoever asks from this address of this network; null: nothing is kept for it. */
export type FindInstance = (networkId: string, address: string) => Instance | null;

interface Served {
  readonly listener: Server;
  readonly sockets: Set<Socket>;
}

/**
 * Tells guests who they are, at 169.254.169.254 in the namespace of each network that has one. Who asks is known by network and
 * address: no guest can send from another's (render-port-guard.ts). One per agent; ends with it.
 */
export class MetadataServer {
  readonly #prefix: Command;
  readonly #served = new Map<string, Served>();
  readonly #tokens = new MetadataTokens();
  #find: FindInstance = () => null;

  /** `prefix`: what commands are run through. */
  constructor(prefix: Command = []) {
    this.#prefix = prefix;
  }

  answerBy(find: FindInstance): void {
    this.#find = find;
  }

  /** Its namespace and the address in it must be there already. Throws `host_fault`. */
  async ensure(networkId: string): Promise<void> {
    if (this.#served.has(networkId)) return;
    const listener = await takeListener(this.#prefix, networkId, METADATA_ADDRESS, PORT);
    listener.maxConnections = CONNECTIONS_MAX;
    const sockets = new Set<Socket>();
    const http = this.#open(networkId);
    listener.on('connection', (socket) => serve(socket, sockets, http));
    this.#served.set(networkId, { listener, sockets });
  }

  /** Ends those of networks that `isKept` says no to: a socket that listens keeps its namespace from going. */
  closeOthers(isKept: (networkId: string) => boolean): void {
    for (const [networkId, { listener, sockets }] of this.#served) {
      if (isKept(networkId)) continue;
      this.#served.delete(networkId);
      listener.close();
      for (const socket of sockets) socket.destroy();
    }
  }

  #open(networkId: string): HttpServer {
    const http = createServer({ maxHeaderSize: HEADER_BYTES_MAX }, (request, response) => {
      const address = request.socket.remoteAddress ?? '';
      const asked = { networkId, instance: this.#find(networkId, address), nowMs: Date.now() };
      const { status, body } = handleRequest(request, asked, this.#tokens);
      response.writeHead(status, {
        'content-type': 'text/plain; charset=utf-8',
        'cache-control': 'no-store',
        'content-length': Buffer.byteLength(body),
        connection: 'close',
      });
      response.end(body);
    });
    http.on('clientError', (_error, socket) => socket.destroy());
    return http;
  }
}

function serve(socket: Socket, sockets: Set<Socket>, http: HttpServer): void {
  // Before anything else: a connection that is reset would end the process.
  socket.on('error', () => socket.destroy());
  const ofGuest = [...sockets].filter(({ remoteAddress }) => remoteAddress === socket.remoteAddress);
  if (ofGuest.length >= CONNECTIONS_PER_GUEST_MAX) {
    socket.destroy();
    return;
  }
  sockets.add(socket);
  const end = setTimeout(() => socket.destroy(), CONNECTION_MS_MAX);
  socket.once('close', () => {
    clearTimeout(end);
    sockets.delete(socket);
  });
  http.emit('connection', socket);
}
