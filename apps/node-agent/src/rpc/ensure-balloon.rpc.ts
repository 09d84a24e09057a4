import type { EnsureBalloonRequest, EnsureBalloonResponse } from '@kvorum/schema/agent-wire';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, EnsureBalloon } from './decode-request.js';

export async function ensureBalloon(
  { directory }: AgentServices,
  request: EnsureBalloonRequest,
  signal: AbortSignal,
): Promise<EnsureBalloonResponse> {
  const { intent, targetBytes } = decodeRequest(EnsureBalloon, request);
  return { actualBytes: await directory.actorOf(intent.vmId).ensureBalloon(intent, targetBytes, signal) };
}
