import type { RemoveLeftoverRequest, RemoveLeftoverResponse } from '@kvorum/schema/agent-wire';
import { Quarantine } from '../leftovers/quarantine.js';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, RemoveLeftover } from './decode-request.js';

export async function removeLeftover(
  { folders }: AgentServices,
  request: RemoveLeftoverRequest,
): Promise<RemoveLeftoverResponse> {
  await new Quarantine(folders.quarantine).remove(decodeRequest(RemoveLeftover, request).name);
  return {};
}
