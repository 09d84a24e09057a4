import type { RemoveVmRequest, RemoveVmResponse } from '@kvorum/schema/agent-wire';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, RemoveVm } from './decode-request.js';

export async function removeVm(
  { directory }: AgentServices,
  request: RemoveVmRequest,
  signal: AbortSignal,
): Promise<RemoveVmResponse> {
  const { intent } = decodeRequest(RemoveVm, request);
  await directory.actorOf(intent.vmId).removeVm(intent, signal);
  return {};
}
