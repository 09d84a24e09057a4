import type { ServiceError } from '@grpc/grpc-js';
import { DomainError } from '@kvorum/schema';
import { fromServiceError, type ReadImageResponse, type SiteGatewayClient } from '@kvorum/schema/agent-wire';
import type { ImageSource } from './image-source.js';

/** Images as the control plane's gateway streams them. */
export class GatewayImageSource implements ImageSource {
  readonly #client: SiteGatewayClient;

  constructor(client: SiteGatewayClient) {
    this.#client = client;
  }

  async *read(imageId: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const call = this.#client.readImage({ imageId, offset: 0 });
    const cancel = () => call.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    let offset = 0;
    try {
      for await (const part of call as AsyncIterable<ReadImageResponse>) {
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
}
