import type { ThawGuestRequest, ThawGuestResponse } from '@kvorum/schema/agent-wire';
import { runningVm } from '../vm/running-vm.js';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, ThawGuest } from './decode-request.js';

export async function thawGuest(
  { directory, freezes }: AgentServices,
  request: ThawGuestRequest,
): Promise<ThawGuestResponse> {
  const { vmId, freezeId } = decodeRequest(ThawGuest, request);
  const { count, wasUnbroken } = await freezes.thaw(runningVm(directory, vmId), freezeId === '' ? null : freezeId);
  return { fileSystemCount: count, wasUnbroken };
}
