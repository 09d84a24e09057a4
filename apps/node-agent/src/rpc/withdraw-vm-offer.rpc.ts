import type { WithdrawVmOfferRequest, WithdrawVmOfferResponse } from '@kvorum/schema/agent-wire';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, WithdrawVmOffer } from './decode-request.js';

export async function withdrawVmOffer(
  { directory }: AgentServices,
  request: WithdrawVmOfferRequest,
  signal: AbortSignal,
): Promise<WithdrawVmOfferResponse> {
  const { intent } = decodeRequest(WithdrawVmOffer, request);
  await directory.actorOf(intent.vmId).withdrawOffer(intent, signal);
  return {};
}
