import type { RemoveSetAsideRequest, RemoveSetAsideResponse } from '@kvorum/schema/agent-wire';
import type { AgentServices } from './agent-services.js';
import { decodeRequest } from './decode-request.js';
import { RemoveSetAside } from './decode-volume-request.js';

export async function removeSetAside(
  { pools }: AgentServices,
  request: RemoveSetAsideRequest,
): Promise<RemoveSetAsideResponse> {
  const { poolId, name } = decodeRequest(RemoveSetAside, request);
  await (await pools.get(poolId)).removeSetAside(name);
  return {};
}
