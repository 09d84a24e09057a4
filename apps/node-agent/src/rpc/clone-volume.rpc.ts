import { setTimeout as sleep } from 'node:timers/promises';
import type { CloneVolumeRequest, CloneVolumeResponse } from '@kvorum/schema/agent-wire';
import { toVolumeReport } from '../storage/volume-report.js';
import type { AgentServices } from './agent-services.js';
import { decodeRequest } from './decode-request.js';
import { CloneVolume } from './decode-volume-request.js';

const PROGRESS_INTERVAL_MS = 500;

/** Progress until the clone is whole; then one last message. A caller that goes away ends the copy: asked again, it begins anew. */
export async function* cloneVolume(
  { pools, merges }: AgentServices,
  request: CloneVolumeRequest,
  signal: AbortSignal,
): AsyncGenerator<CloneVolumeResponse> {
  const { intent, poolId, ownerId, sourceVolumeId, sourceSnapshotId, isLinked } = decodeRequest(CloneVolume, request);
  let [doneFraction, isSettled] = [0, false];
  const source = { volumeId: sourceVolumeId, snapshotId: sourceSnapshotId };
  const watch = {
    signal,
    onProgress: (fraction: number) => {
      doneFraction = fraction;
    },
  };
  const pool = await pools.get(poolId);
  const clone = () => pool.cloneVolume({ ...intent, ownerId, source, isLinked }, watch);
  const cloned = merges.holding([sourceVolumeId], clone).finally(() => {
    isSettled = true;
  });
  // Awaited below; until then a failure must not count as unhandled.
  cloned.catch(() => undefined);
  while (!isSettled) {
    await Promise.race([cloned.catch(() => undefined), sleep(PROGRESS_INTERVAL_MS, undefined, { ref: false })]);
    if (!isSettled) yield { doneFraction, volume: undefined };
  }
  yield { doneFraction: 1, volume: toVolumeReport(await cloned) };
}
