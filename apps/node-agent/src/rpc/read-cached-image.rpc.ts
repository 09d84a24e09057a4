import { open } from 'node:fs/promises';
import { DomainError, MIB } from '@kvorum/schema';
import type { ReadCachedImageRequest, ReadCachedImageResponse } from '@kvorum/schema/agent-wire';
import type { AgentServices } from './agent-services.js';
import type { HostPeerIdentity } from './authenticate-caller.js';
import { decodeRequest, ReadCachedImage } from './decode-request.js';

/** Well under the 4 MiB that gRPC takes as one message. */
const MESSAGE_BYTES = MIB;

export async function* readCachedImage(
  { images, imageOffers }: AgentServices,
  peer: HostPeerIdentity,
  request: ReadCachedImageRequest,
): AsyncGenerator<ReadCachedImageResponse> {
  const { sha256 } = decodeRequest(ReadCachedImage, request);
  imageOffers.require(sha256, peer);
  const path = await images.pathOf(sha256);
  if (path === null) throw new DomainError('not_found', 'the image is not on this host');
  const file = await open(path, 'r');
  try {
    for (let offset = 0; ; ) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(MESSAGE_BYTES), 0, MESSAGE_BYTES, offset);
      if (bytesRead === 0) return;
      yield { offset, data: buffer.subarray(0, bytesRead) };
      offset += bytesRead;
    }
  } finally {
    await file.close();
  }
}
