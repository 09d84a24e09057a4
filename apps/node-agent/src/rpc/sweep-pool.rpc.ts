import type { SweepPoolRequest, SweepPoolResponse } from '@kvorum/schema/agent-wire';
import type { AgentServices } from './agent-services.js';
import { decodeRequest } from './decode-request.js';
import { SweepPool } from './decode-volume-request.js';

export async function sweepPool({ pools }: AgentServices, request: SweepPoolRequest): Promise<SweepPoolResponse> {
  const { poolId, ...sweep } = decodeRequest(SweepPool, request);
  const { purgedVolumeIds, quarantined, faults } = await (await pools.get(poolId)).sweep(sweep);
  return {
    purgedVolumeIds: [...purgedVolumeIds],
    quarantined: quarantined.map(({ name, bytes }) => ({ name, sizeBytes: bytes })),
    faults: [...faults],
  };
}
