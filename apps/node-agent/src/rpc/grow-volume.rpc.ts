import type { GrowVolumeRequest, GrowVolumeResponse } from '@kvorum/schema/agent-wire';
import { toVolumeReport } from '../storage/volume-report.js';
import type { VmRun } from '../vm/vm-actor.js';
import type { AgentServices } from './agent-services.js';
import { decodeRequest } from './decode-request.js';
import { GrowVolume } from './decode-volume-request.js';

/** A volume that its VM has open is grown through the VM's process. A VM that has stopped meanwhile is no obstacle. */
export async function growVolume(
  { pools, directory, merges }: AgentServices,
  request: GrowVolumeRequest,
  signal: AbortSignal,
): Promise<GrowVolumeResponse> {
  const { intent, poolId, sizeBytes, vmId } = decodeRequest(GrowVolume, request);
  const pool = await pools.get(poolId);
  const actor = vmId === null ? null : directory.find(vmId);
  if (actor === null) return { volume: toVolumeReport(await pool.growVolume({ ...intent, sizeBytes })) };
  const growIn = async (run: VmRun | null): Promise<GrowVolumeResponse> => {
    if (run === null) return { volume: toVolumeReport(await pool.growVolume({ ...intent, sizeBytes })) };
    const grow = await run.growPooled(intent.volumeId);
    const grown = await pool.growVolume({ ...intent, sizeBytes, growLive: () => grow(sizeBytes) });
    return { volume: toVolumeReport(grown) };
  };
  return merges.holding([intent.volumeId], () => actor.withRun(growIn, signal));
}
