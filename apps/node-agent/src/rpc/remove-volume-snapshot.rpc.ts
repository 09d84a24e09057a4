import type { RemoveVolumeSnapshotRequest, RemoveVolumeSnapshotResponse } from '@kvorum/schema/agent-wire';
import { toVolumeReport } from '../storage/volume-report.js';
import type { AgentServices } from './agent-services.js';
import { decodeRequest } from './decode-request.js';
import { RemoveVolumeSnapshot } from './decode-volume-request.js';

export async function removeVolumeSnapshot(
  { pools, merges }: AgentServices,
  request: RemoveVolumeSnapshotRequest,
): Promise<RemoveVolumeSnapshotResponse> {
  const { intent, poolId, snapshotId } = decodeRequest(RemoveVolumeSnapshot, request);
  const { volumeId, fence } = intent;
  const pool = await pools.get(poolId);
  const remove = () => pool.removeSnapshot(volumeId, snapshotId, fence);
  return { volume: toVolumeReport(await merges.holding([volumeId], remove)) };
}
