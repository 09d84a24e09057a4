import type { SweepPoolRequest, SweepPoolResponse } from '@kvorum/schema/agent-wire';
import type { AgentServices } from './agent-services.js';
import { decodeRequest } from './decode-request.js';
import { SweepPool } from './decode-volume-request.js';

export async function sweepPool({ pools }: AgentServices, request: SweepPoolRequest): Promise<SweepPoolResponse> {
  const { poolId, ...sweep } = decodeRequest(SweepPool, request);
  const pool = await pools.get(poolId);
  const { purgedVolumeIds, quarantined, faults } = await pool.sweep(sweep);
  return {
    purgedVolumeIds: [...purgedVolumeIds],
    quarantined: quarantined.map(toWire),
    faults: [...faults],
    setAside: (await pool.listSetAside()).map(toWire),
  };
}

const toWire = ({ name, bytes }: { readonly name: string; readonly bytes: number }) => ({ name, sizeBytes: bytes });
