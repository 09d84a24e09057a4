import { createHash } from 'node:crypto';
import { type ClientReadableStream, Metadata, type ServiceError } from '@grpc/grpc-js';
import { DomainError, IMAGE_BYTES_MAX } from '@kvorum/schema';
import {
  fromServiceError,
  type NodeAgentClient,
  type PublishDiskRequest,
  type PublishDiskResponse,
  type PublishVolumeRequest,
} from '@kvorum/schema/agent-wire';
import type { CallOptions } from './call-options.js';
import type { PublishWatch } from './publish-watch.js';

/** AgentPort.publishDisk. Pulled: whoever reads slowly slows the host down. Ends well only with the digest of what came. */
export const publishDisk = (
  client: NodeAgentClient,
  request: PublishDiskRequest,
  options: CallOptions & PublishWatch,
): AsyncGenerator<Uint8Array> => receive((deadline) => client.publishDisk(request, new Metadata(), deadline), options);

/** VolumePort.publishVolume; as `publishDisk`. */
export const publishVolume = (
  client: NodeAgentClient,
  request: PublishVolumeRequest,
  options: CallOptions & PublishWatch,
): AsyncGenerator<Uint8Array> =>
  receive((deadline) => client.publishVolume(request, new Metadata(), deadline), options);

async function* receive(
  open: (options: { deadline: number }) => ClientReadableStream<PublishDiskResponse>,
  { timeoutMs, signal, onMade, onSize }: CallOptions & PublishWatch,
): AsyncGenerator<Uint8Array> {
  signal?.throwIfAborted();
  const stream = open({ deadline: Date.now() + timeoutMs });
  const cancel = (): void => stream.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  const sha256 = createHash('sha256');
  let [doneBytes, announced, isSized] = [0, '', false];
  try {
    for await (const message of stream as AsyncIterable<PublishDiskResponse>) {
      if (message.totalBytes === 0) onMade(Math.min(1, Math.max(0, message.madeFraction)));
      else if (!isSized) onSize(message.totalBytes);
      isSized ||= message.totalBytes > 0;
      announced = message.sha256;
      doneBytes += message.data.byteLength;
      if (doneBytes > IMAGE_BYTES_MAX)
        throw new DomainError('image_invalid', 'the host sends more than an image can have');
      sha256.update(message.data);
      if (message.data.byteLength > 0) yield message.data;
    }
  } catch (error) {
    throw error instanceof DomainError ? error : fromServiceError(error as ServiceError);
  } finally {
    signal?.removeEventListener('abort', cancel);
    stream.cancel();
  }
  if (announced === '') throw new DomainError('host_unreachable', 'the agent stopped before it had ended');
  if (announced === sha256.digest('hex')) return;
  throw new DomainError('host_unreachable', 'what came of the disk is not what the host has sent');
}
