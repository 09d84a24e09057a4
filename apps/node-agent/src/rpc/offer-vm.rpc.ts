import type { OfferVmRequest, OfferVmResponse } from '@kvorum/schema/agent-wire';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, OfferVm, offerOf } from './decode-request.js';

export async function offerVm(
  { directory }: AgentServices,
  request: OfferVmRequest,
  signal: AbortSignal,
): Promise<OfferVmResponse> {
  const { intent, ...permission } = decodeRequest(OfferVm, request);
  await directory.actorOf(intent.vmId).offerVm(intent, offerOf(permission), signal);
  return {};
}
