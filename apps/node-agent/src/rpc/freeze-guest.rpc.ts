import type { FreezeGuestRequest, FreezeGuestResponse } from '@kvorum/schema/agent-wire';
import { runningVm } from '../vm/running-vm.js';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, FreezeGuest } from './decode-request.js';

export async function freezeGuest(
  { directory, freezes }: AgentServices,
  request: FreezeGuestRequest,
): Promise<FreezeGuestResponse> {
  const { vmId, durationMs } = decodeRequest(FreezeGuest, request);
  const { freezeId, count, thawsAtMs } = await freezes.freeze(runningVm(directory, vmId), durationMs);
  return { freezeId, fileSystemCount: count, thawsAtMs };
}
