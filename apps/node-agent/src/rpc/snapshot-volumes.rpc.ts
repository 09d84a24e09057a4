import type { SnapshotVolumesRequest, SnapshotVolumesResponse } from '@kvorum/schema/agent-wire';
import {
  type Snapshots,
  snapshotVolumes as takeSnapshots,
  type VolumeToSnapshot,
} from '../storage/snapshot-volumes.js';
import { toVolumeReport } from '../storage/volume-report.js';
import type { VmRun } from '../vm/vm-actor.js';
import type { AgentServices } from './agent-services.js';
import { decodeRequest } from './decode-request.js';
import { SnapshotVolumes } from './decode-volume-request.js';

/** Through the VM's process where it runs; a VM that has stopped meanwhile is no obstacle. */
export async function snapshotVolumes(
  { pools, directory, freezes, merges, log }: AgentServices,
  request: SnapshotVolumesRequest,
  signal: AbortSignal,
): Promise<SnapshotVolumesResponse> {
  const { volumes, vmId, freezeTimeoutMs } = decodeRequest(SnapshotVolumes, request);
  const wanted: VolumeToSnapshot[] = [];
  for (const { intent, poolId, snapshotId } of volumes) {
    wanted.push({ ...intent, pool: await pools.get(poolId), snapshotId });
  }
  const take = (run: VmRun | null): Promise<Snapshots> =>
    takeSnapshots({ volumes: wanted, run, freezeTimeoutMs, freezes, log });
  const actor = vmId === null ? null : directory.find(vmId);
  const ids = wanted.map(({ volumeId }) => volumeId);
  const taken = actor === null ? await take(null) : await merges.holding(ids, () => actor.withRun(take, signal));
  const reports = wanted.flatMap(({ volumeId }) => {
    const facts = taken.volumes.get(volumeId);
    return facts === undefined ? [] : [toVolumeReport(facts)];
  });
  return { volumes: reports, wasFrozen: taken.wasFrozen };
}
