import type { RevertVolumeRequest, RevertVolumeResponse } from '@kvorum/schema/agent-wire';
import { toVolumeReport } from '../storage/volume-report.js';
import type { AgentServices } from './agent-services.js';
import { decodeRequest } from './decode-request.js';
import { RevertVolume } from './decode-volume-request.js';

export async function revertVolume(
  { pools }: AgentServices,
  request: RevertVolumeRequest,
): Promise<RevertVolumeResponse> {
  const { intent, poolId, snapshotId, revertId } = decodeRequest(RevertVolume, request);
  return { volume: toVolumeReport(await (await pools.get(poolId)).revertVolume({ ...intent, snapshotId, revertId })) };
}
