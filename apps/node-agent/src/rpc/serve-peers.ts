import { once } from 'node:events';
import type { handleServerStreamingCall, handleUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import { DomainError } from '@kvorum/schema';
import type { HostPeerServer } from '@kvorum/schema/agent-wire';
import type { AgentServices } from './agent-services.js';
import { authenticateHost, type HostPeerIdentity } from './authenticate-caller.js';
import { describeOfferedVm } from './describe-offered-vm.rpc.js';
import { readCachedImage } from './read-cached-image.rpc.js';
import { readVmFile } from './read-vm-file.rpc.js';
import { type HandlerContext, refusal, signalOf } from './rpc-call.js';

/** Each is a reader of this host's disks and a sender on its network: more at once take from its VMs. */
const READS_AT_ONCE_MAX = 8;

type PeerAnswer<Request, Response> = (services: AgentServices, peer: HostPeerIdentity, request: Request) => Response;

/** HostPeer, for agents of other hosts: every call needs an offer that the control plane has left for its caller. */
export function peerHandlers(context: HandlerContext): HostPeerServer {
  const reads = { count: 0 };
  return {
    describeOfferedVm: answering(context, 'DescribeOfferedVm', describeOfferedVm),
    readVmFile: sending(context, 'ReadVmFile', readVmFile, reads),
    readCachedImage: sending(context, 'ReadCachedImage', readCachedImage, reads),
  };
}

function answering<Request, Response>(
  context: HandlerContext,
  name: string,
  answer: PeerAnswer<Request, Promise<Response>>,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    const run = async () => {
      const peer = authenticateHost(call.getAuthContext(), context.siteId);
      return answer(context.services, peer, call.request);
    };
    run().then(
      (response) => callback(null, response),
      (thrown: unknown) => callback(refusal(context.log, name, thrown)),
    );
  };
}

/** Bulk data: no more is read than the caller takes. */
function sending<Request, Response>(
  context: HandlerContext,
  name: string,
  answer: PeerAnswer<Request, AsyncIterable<Response>>,
  reads: { count: number },
): handleServerStreamingCall<Request, Response> {
  return (call) => {
    const gone = signalOf(call);
    const run = async () => {
      const peer = authenticateHost(call.getAuthContext(), context.siteId);
      if (reads.count >= READS_AT_ONCE_MAX) throw new DomainError('unavailable', 'too many hosts read from this one');
      reads.count += 1;
      try {
        for await (const response of answer(context.services, peer, call.request)) {
          if (!(await isTaken(call, response, gone))) return;
        }
      } finally {
        reads.count -= 1;
      }
      call.end();
    };
    run().catch((thrown: unknown) => call.emit('error', refusal(context.log, name, thrown)));
  };
}

/** Resolves when there is room for more; false: there is nobody who would take it. */
async function isTaken<Request, Response>(
  call: ServerWritableStream<Request, Response>,
  response: Response,
  gone: AbortSignal,
): Promise<boolean> {
  if (!gone.aborted && !call.write(response)) await once(call, 'drain', { signal: gone }).catch(() => undefined);
  return !gone.aborted;
}
