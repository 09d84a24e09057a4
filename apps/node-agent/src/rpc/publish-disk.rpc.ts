import { DomainError } from '@kvorum/schema';
import { type PublishDiskRequest, PublishDiskResponse } from '@kvorum/schema/agent-wire';
import { publishDisk as publish } from '../publish/publish-disk.js';
import type { PublishedPart } from '../publish/publish-file.js';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, PublishDisk } from './decode-request.js';

export async function* publishDisk(
  { directory, host }: AgentServices,
  request: PublishDiskRequest,
  signal: AbortSignal,
): AsyncGenerator<PublishDiskResponse> {
  const { intent, volumeId } = decodeRequest(PublishDisk, request);
  const actor = directory.find(intent.vmId);
  if (actor === null) throw new DomainError('not_found', 'this host has no such VM');
  yield* toPublishResponses(publish(host, actor, volumeId, signal));
}

export async function* toPublishResponses(parts: AsyncIterable<PublishedPart>): AsyncGenerator<PublishDiskResponse> {
  for await (const part of parts) {
    if (part.kind === 'making') yield PublishDiskResponse.create({ madeFraction: part.fraction });
    else if (part.kind === 'data') {
      yield PublishDiskResponse.create({ madeFraction: 1, totalBytes: part.totalBytes, data: part.data });
    } else yield PublishDiskResponse.create({ madeFraction: 1, totalBytes: part.totalBytes, sha256: part.sha256 });
  }
}
