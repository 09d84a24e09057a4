import type { RemoveDiskRequest, RemoveDiskResponse } from '@kvorum/schema/agent-wire';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, RemoveDisk } from './decode-request.js';

export async function removeDisk(
  { directory }: AgentServices,
  request: RemoveDiskRequest,
  signal: AbortSignal,
): Promise<RemoveDiskResponse> {
  const { intent, volumeId } = decodeRequest(RemoveDisk, request);
  await directory.actorOf(intent.vmId).removeDisk(intent, volumeId, signal);
  return {};
}
