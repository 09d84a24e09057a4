import type { RemoveVolumeRequest, RemoveVolumeResponse } from '@kvorum/schema/agent-wire';
import type { AgentServices } from './agent-services.js';
import { decodeRequest } from './decode-request.js';
import { RemoveVolume } from './decode-volume-request.js';

export async function removeVolume(
  { pools }: AgentServices,
  request: RemoveVolumeRequest,
): Promise<RemoveVolumeResponse> {
  const { intent, poolId } = decodeRequest(RemoveVolume, request);
  await (await pools.get(poolId)).removeVolume(intent.volumeId, intent.fence);
  return {};
}
