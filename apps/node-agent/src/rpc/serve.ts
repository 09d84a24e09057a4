import { type EventEmitter, once } from 'node:events';
import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
} from '@grpc/grpc-js';
import { DomainError } from '@kvorum/schema';
import { HostPeerService, type NodeAgentServer, NodeAgentService } from '@kvorum/schema/agent-wire';
import { type HostPort, hostPortText } from '../config.js';
import type { Identity } from '../enrol/identity.js';
import type { Log } from '../log.js';
import type { AgentServices } from './agent-services.js';
import { authenticateCaller } from './authenticate-caller.js';
import { cloneVolume } from './clone-volume.rpc.js';
import type { Conversation } from './conversation.js';
import { ensureBalloon } from './ensure-balloon.rpc.js';
import { ensureDisk } from './ensure-disk.rpc.js';
import { ensureImage } from './ensure-image.rpc.js';
import { ensureNetworks } from './ensure-networks.rpc.js';
import { ensureVm } from './ensure-vm.rpc.js';
import { ensureVolume } from './ensure-volume.rpc.js';
import { freezeGuest } from './freeze-guest.rpc.js';
import { freezeTemplate } from './freeze-template.rpc.js';
import { growVolume } from './grow-volume.rpc.js';
import { observeHost } from './observe-host.rpc.js';
import { observeVms } from './observe-vms.rpc.js';
import { observeVolume } from './observe-volume.rpc.js';
import { offerImage } from './offer-image.rpc.js';
import { offerVm } from './offer-vm.rpc.js';
import { openConsole } from './open-console.rpc.js';
import { publishDisk } from './publish-disk.rpc.js';
import { publishVolume } from './publish-volume.rpc.js';
import { purgeVolume } from './purge-volume.rpc.js';
import { readConsole } from './read-console.rpc.js';
import { receiveVm } from './receive-vm.rpc.js';
import { removeDisk } from './remove-disk.rpc.js';
import { removeLeftover } from './remove-leftover.rpc.js';
import { removeSetAside } from './remove-set-aside.rpc.js';
import { removeTemplate } from './remove-template.rpc.js';
import { removeVm } from './remove-vm.rpc.js';
import { removeVolume } from './remove-volume.rpc.js';
import { removeVolumeSnapshot } from './remove-volume-snapshot.rpc.js';
import { restoreVolume } from './restore-volume.rpc.js';
import { revertVolume } from './revert-volume.rpc.js';
import { type HandlerContext, refusal, signalOf } from './rpc-call.js';
import { runGuestCommand } from './run-guest-command.rpc.js';
import { peerHandlers } from './serve-peers.js';
import { snapshotVolumes } from './snapshot-volumes.rpc.js';
import { sweepHost } from './sweep-host.rpc.js';
import { sweepPool } from './sweep-pool.rpc.js';
import { takeScreenshot } from './take-screenshot.rpc.js';
import { thawGuest } from './thaw-guest.rpc.js';
import { withdrawVmOffer } from './withdraw-vm-offer.rpc.js';

/** The largest request are the networks of a host: the names of one with 65,533 ports are 5 MiB. */
const REQUEST_BYTES_MAX = 16 * 1024 * 1024;
/** The largest answer is a report of 4096 VMs of at most 1 KiB. */
const RESPONSE_BYTES_MAX = 8 * 1024 * 1024;
/** One connection comes from one control plane process; its workers wait on at most so many calls at once. */
const STREAMS_PER_CONNECTION_MAX = 1_000;
/** A silent peer is known as gone after 30 s at most. */
const KEEPALIVE_EVERY_MS = 20_000;
const KEEPALIVE_ANSWER_MS = 10_000;
/** Calls in progress get this long to finish when the agent shuts down. */
const SHUTDOWN_TIMEOUT_MS = 5_000;

type Unary<Request, Response> = (services: AgentServices, request: Request, signal: AbortSignal) => Promise<Response>;
type Streaming<Request, Response> = (
  services: AgentServices,
  request: Request,
  signal: AbortSignal,
) => AsyncIterable<Response>;

export interface ServeOptions {
  readonly listen: HostPort;
  readonly identity: Identity;
  readonly services: AgentServices;
  readonly log: Log;
}

export interface AgentServer {
  close(): Promise<void>;
}

/** Serves NodeAgent over mTLS to the control plane alone, and HostPeer to other hosts. Throws `host_fault` if the address cannot be bound. */
export async function serve(options: ServeOptions): Promise<AgentServer> {
  const { identity, listen } = options;
  const server = new Server({
    'grpc.max_receive_message_length': REQUEST_BYTES_MAX,
    'grpc.max_send_message_length': RESPONSE_BYTES_MAX,
    'grpc.max_concurrent_streams': STREAMS_PER_CONNECTION_MAX,
    // Of a control plane that fell silent the open sessions end, instead of keeping others out.
    'grpc.keepalive_time_ms': KEEPALIVE_EVERY_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_ANSWER_MS,
  });
  const context = { services: options.services, siteId: identity.siteId, log: options.log };
  server.addService(NodeAgentService, handlersOf(context));
  server.addService(HostPeerService, peerHandlers(context));
  const credentials = ServerCredentials.createSsl(
    Buffer.from(identity.caCertificatePem),
    [{ private_key: Buffer.from(identity.keyPem), cert_chain: Buffer.from(identity.certificatePem) }],
    // A connection without a certificate of our CA ends in the TLS handshake.
    true,
  );
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(hostPortText(listen), credentials, (cause) => {
      if (cause === null) resolve();
      else reject(new DomainError('host_fault', `cannot listen on ${hostPortText(listen)}`, { cause }));
    });
  });
  return { close: () => shutDown(server) };
}

function handlersOf(context: HandlerContext): NodeAgentServer {
  return {
    observeHost: unary(context, 'ObserveHost', observeHost),
    observeVms: unary(context, 'ObserveVms', observeVms),
    ensureImage: streaming(context, 'EnsureImage', ensureImage),
    ensureDisk: unary(context, 'EnsureDisk', ensureDisk),
    removeDisk: unary(context, 'RemoveDisk', removeDisk),
    ensureNetworks: unary(context, 'EnsureNetworks', ensureNetworks),
    ensureVm: unary(context, 'EnsureVm', ensureVm),
    ensureBalloon: unary(context, 'EnsureBalloon', ensureBalloon),
    removeVm: unary(context, 'RemoveVm', removeVm),
    readConsole: unary(context, 'ReadConsole', readConsole),
    openConsole: conversing(context, 'OpenConsole', openConsole),
    takeScreenshot: streaming(context, 'TakeScreenshot', takeScreenshot),
    runGuestCommand: unary(context, 'RunGuestCommand', runGuestCommand),
    freezeGuest: unary(context, 'FreezeGuest', freezeGuest),
    freezeTemplate: unary(context, 'FreezeTemplate', freezeTemplate),
    removeTemplate: unary(context, 'RemoveTemplate', removeTemplate),
    thawGuest: unary(context, 'ThawGuest', thawGuest),
    offerVm: unary(context, 'OfferVm', offerVm),
    withdrawVmOffer: unary(context, 'WithdrawVmOffer', withdrawVmOffer),
    receiveVm: streaming(context, 'ReceiveVm', receiveVm),
    offerImage: unary(context, 'OfferImage', offerImage),
    ensureVolume: unary(context, 'EnsureVolume', ensureVolume),
    growVolume: unary(context, 'GrowVolume', growVolume),
    cloneVolume: streaming(context, 'CloneVolume', cloneVolume),
    snapshotVolumes: unary(context, 'SnapshotVolumes', snapshotVolumes),
    removeVolumeSnapshot: unary(context, 'RemoveVolumeSnapshot', removeVolumeSnapshot),
    revertVolume: unary(context, 'RevertVolume', revertVolume),
    removeVolume: unary(context, 'RemoveVolume', removeVolume),
    restoreVolume: unary(context, 'RestoreVolume', restoreVolume),
    purgeVolume: unary(context, 'PurgeVolume', purgeVolume),
    observeVolume: unary(context, 'ObserveVolume', observeVolume),
    sweepPool: unary(context, 'SweepPool', sweepPool),
    removeSetAside: unary(context, 'RemoveSetAside', removeSetAside),
    sweepHost: unary(context, 'SweepHost', sweepHost),
    removeLeftover: unary(context, 'RemoveLeftover', removeLeftover),
    publishDisk: streaming(context, 'PublishDisk', publishDisk),
    publishVolume: streaming(context, 'PublishVolume', publishVolume),
  };
}

function unary<Request, Response>(
  context: HandlerContext,
  name: string,
  handle: Unary<Request, Response>,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    const run = async () => {
      authenticateCaller(call.getAuthContext(), context.siteId);
      return handle(context.services, call.request, signalOf(call));
    };
    run().then(
      (response) => callback(null, response),
      (thrown: unknown) => callback(refusal(context.log, name, thrown)),
    );
  };
}

function streaming<Request, Response>(
  context: HandlerContext,
  name: string,
  handle: Streaming<Request, Response>,
): handleServerStreamingCall<Request, Response> {
  return (call) => {
    const signal = signalOf(call);
    const run = async () => {
      authenticateCaller(call.getAuthContext(), context.siteId);
      for await (const response of handle(context.services, call.request, signal)) {
        await writeTo(call, response, signal);
      }
      call.end();
    };
    run().catch((thrown: unknown) => call.emit('error', refusal(context.log, name, thrown)));
  };
}

function conversing<Request, Response>(
  context: HandlerContext,
  name: string,
  handle: (services: AgentServices, call: Conversation<Request, Response>) => Promise<void>,
): handleBidiStreamingCall<Request, Response> {
  return (call) => {
    const signal = signalOf(call);
    const run = async () => {
      authenticateCaller(call.getAuthContext(), context.siteId);
      // Otherwise the end of its requests would end our side as well (stream.Readable.iterator of Node).
      const requests = { [Symbol.asyncIterator]: () => call.iterator({ destroyOnReturn: false }) };
      await handle(context.services, { requests, signal, write: (response) => writeTo(call, response, signal) });
      call.end();
    };
    run().catch((thrown: unknown) => call.emit('error', refusal(context.log, name, thrown)));
  };
}

/** Resolves when there is room for more, or nobody who would take it. */
async function writeTo<Response>(
  call: EventEmitter & { write(response: Response): boolean },
  response: Response,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted || call.write(response)) return;
  await once(call, 'drain', { signal }).catch(() => undefined);
}

async function shutDown(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, SHUTDOWN_TIMEOUT_MS);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
