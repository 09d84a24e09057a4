import type { RestoreVolumeRequest, RestoreVolumeResponse } from '@kvorum/schema/agent-wire';
import { toVolumeReport } from '../storage/volume-report.js';
import type { AgentServices } from './agent-services.js';
import { decodeRequest } from './decode-request.js';
import { RestoreVolume } from './decode-volume-request.js';

export async function restoreVolume(
  { pools }: AgentServices,
  request: RestoreVolumeRequest,
): Promise<RestoreVolumeResponse> {
  const { intent, poolId } = decodeRequest(RestoreVolume, request);
  return { volume: toVolumeReport(await (await pools.get(poolId)).restoreVolume(intent.volumeId, intent.fence)) };
}
