import { once } from 'node:events';
import type { handleServerStreamingCall, ServerWritableStream } from '@grpc/grpc-js';
import { readImageFor, toUnavailable } from '@kvorum/control-plane';
import { DomainError, ImageId, MIB, toDomainError } from '@kvorum/schema';
import { type ReadImageRequest, type ReadImageResponse, toServiceError } from '@kvorum/schema/agent-wire';
import type { GatewayDeps } from './gateway-deps.js';
import { type PeerIdentity, peerIdentityOf } from './peer-identity.js';

type Call = ServerWritableStream<ReadImageRequest, ReadImageResponse>;
/** Well under the 4 MiB that gRPC takes as one message by default. */
const PART_BYTES_MAX = MIB;

/** The content of an image from an offset on, as fast as the host takes it in. */
export const readImageRpc =
  (deps: GatewayDeps): handleServerStreamingCall<ReadImageRequest, ReadImageResponse> =>
  (call) => {
    const gone = new AbortController();
    for (const end of ['cancelled', 'close', 'error'] as const) call.on(end, () => gone.abort());
    sendImage(call, deps, gone.signal).then(
      () => call.end(),
      (thrown: unknown) => {
        if (gone.signal.aborted) return;
        const error = toDomainError(toUnavailable(thrown));
        deps.cp.log.warn({ err: thrown, peer: call.getPeer(), code: error.code }, 'broke off sending an image');
        call.emit('error', toServiceError(error));
      },
    );
  };

async function sendImage(call: Call, deps: GatewayDeps, gone: AbortSignal): Promise<void> {
  const peer: PeerIdentity = peerIdentityOf(call.getAuthContext().sslPeerCertificate);
  const hostId = await deps.trust.hostOf(peer);
  const imageId = ImageId.safeParse(call.request.imageId);
  if (!imageId.success) throw new DomainError('invalid_request', 'imageId: must be a UUID');
  const leave = deps.streams.holdImageRead(hostId);
  try {
    let offset = call.request.offset;
    for await (const part of readImageFor(deps.cp, hostId, imageId.data, offset)) {
      for (let from = 0; from < part.byteLength; from += PART_BYTES_MAX) {
        const data = Buffer.from(part.subarray(from, from + PART_BYTES_MAX));
        if (gone.aborted) return;
        // Resolved from memory but for once a second: a host revoked in the middle gets no more.
        await deps.trust.hostOf(peer);
        if (!call.write({ offset, data })) await once(call, 'drain', { signal: gone });
        offset += data.byteLength;
      }
    }
  } finally {
    leave();
  }
}
