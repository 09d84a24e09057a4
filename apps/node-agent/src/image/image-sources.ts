import { type ClientReadableStream, Metadata, type ServiceError } from '@grpc/grpc-js';
import { DomainError } from '@kvorum/schema';
import { fromServiceError } from '@kvorum/schema/agent-wire';
import type { Identity } from '../enrol/identity.js';
import { gatewayClient } from '../trust/gateway-client.js';
import { connectPeer } from '../trust/host-peer-client.js';
import type { ImageSource, SourcesOf } from './image-source.js';

/** Other hosts have wires of their own, the control plane has one for all of them: it is asked last. */
export const imageSourcesOf =
  (identity: Identity): SourcesOf =>
  ({ imageId, sha256, peers }) => [
    ...peers.map(
      (peer): ImageSource => ({
        name: `host ${peer.hostId}`,
        read: async function* (signal) {
          const client = connectPeer(identity, peer);
          try {
            yield* inOrder(client.readCachedImage({ sha256 }, new Metadata()), signal);
          } finally {
            client.close();
          }
        },
      }),
    ),
    {
      name: 'control plane',
      // Behind an image, reports would come too late to keep the host's lease.
      read: async function* (signal) {
        const client = gatewayClient(identity, 'transfer');
        try {
          yield* inOrder(client.readImage({ imageId, offset: 0 }), signal);
        } finally {
          client.close();
        }
      },
    },
  ];

interface Part {
  readonly offset: number;
  readonly data: Uint8Array;
}

async function* inOrder(call: ClientReadableStream<Part>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const cancel = () => call.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  let offset = 0;
  try {
    for await (const part of call as AsyncIterable<Part>) {
      if (part.offset !== offset) {
        throw new DomainError('unavailable', 'the image came with a gap; ask again', {
          details: { expectedOffset: offset, receivedOffset: part.offset },
        });
      }
      offset += part.data.byteLength;
      yield part.data;
    }
  } catch (thrown) {
    throw thrown instanceof DomainError ? thrown : fromServiceError(thrown as ServiceError);
  } finally {
    signal.removeEventListener('abort', cancel);
    call.cancel();
  }
}
