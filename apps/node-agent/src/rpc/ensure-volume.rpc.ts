import type { EnsureVolumeRequest, EnsureVolumeResponse } from '@kvorum/schema/agent-wire';
import { toVolumeReport } from '../storage/volume-report.js';
import type { AgentServices } from './agent-services.js';
import { decodeRequest } from './decode-request.js';
import { EnsureVolume } from './decode-volume-request.js';

/** With an image: the pool takes it in first, from the host's cache, and the volume is a linked clone of it. */
export async function ensureVolume(
  { pools, images, siteId }: AgentServices,
  request: EnsureVolumeRequest,
): Promise<EnsureVolumeResponse> {
  const { intent, poolId, ownerId, sizeBytes, image } = decodeRequest(EnsureVolume, request);
  const pool = await pools.get(poolId);
  if (image === undefined) {
    return { volume: toVolumeReport(await pool.ensureVolume({ ...intent, ownerId, sizeBytes })) };
  }
  const path = await images.pathOf(image.sha256);
  await pool.importImage({ ...image, ownerId: siteId, path });
  const source = { volumeId: image.imageId, snapshotId: image.imageId };
  const clone = { ...intent, ownerId, source, isLinked: true, sizeBytes };
  return { volume: toVolumeReport(await pool.cloneVolume(clone)) };
}
