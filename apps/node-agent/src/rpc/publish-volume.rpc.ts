import type { PublishDiskResponse, PublishVolumeRequest } from '@kvorum/schema/agent-wire';
import { publishVolume as publish } from '../publish/publish-volume.js';
import type { AgentServices } from './agent-services.js';
import { decodeRequest } from './decode-request.js';
import { PublishVolume } from './decode-volume-request.js';
import { toPublishResponses } from './publish-disk.rpc.js';

export async function* publishVolume(
  { pools, folders }: AgentServices,
  request: PublishVolumeRequest,
  signal: AbortSignal,
): AsyncGenerator<PublishDiskResponse> {
  const { poolId, volumeId } = decodeRequest(PublishVolume, request);
  yield* toPublishResponses(publish(folders, await pools.get(poolId), volumeId, signal));
}
