import { DomainError } from '@kvorum/schema';
import type { ObserveVolumeRequest, ObserveVolumeResponse } from '@kvorum/schema/agent-wire';
import { toVolumeReport } from '../storage/volume-report.js';
import type { AgentServices } from './agent-services.js';
import { decodeRequest } from './decode-request.js';
import { ObserveVolume } from './decode-volume-request.js';

export async function observeVolume(
  { pools }: AgentServices,
  request: ObserveVolumeRequest,
): Promise<ObserveVolumeResponse> {
  const { poolId, volumeId } = decodeRequest(ObserveVolume, request);
  const pool = await pools.get(poolId);
  try {
    return { volume: toVolumeReport(await pool.observeVolume(volumeId)) };
  } catch (thrown) {
    if (thrown instanceof DomainError && thrown.code === 'not_found') return { volume: undefined };
    throw thrown;
  }
}
