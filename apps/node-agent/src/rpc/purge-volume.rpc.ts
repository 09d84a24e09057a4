import type { PurgeVolumeRequest, PurgeVolumeResponse } from '@kvorum/schema/agent-wire';
import type { AgentServices } from './agent-services.js';
import { decodeRequest } from './decode-request.js';
import { PurgeVolume } from './decode-volume-request.js';

export async function purgeVolume({ pools }: AgentServices, request: PurgeVolumeRequest): Promise<PurgeVolumeResponse> {
  const { intent, poolId } = decodeRequest(PurgeVolume, request);
  await (await pools.get(poolId)).purgeVolume(intent.volumeId, intent.fence);
  return {};
}
