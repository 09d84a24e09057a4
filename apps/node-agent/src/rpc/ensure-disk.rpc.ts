import type { EnsureDiskRequest, EnsureDiskResponse } from '@kvorum/schema/agent-wire';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, EnsureDisk } from './decode-request.js';

export async function ensureDisk(
  { directory }: AgentServices,
  request: EnsureDiskRequest,
  signal: AbortSignal,
): Promise<EnsureDiskResponse> {
  const { intent, volumeId, sizeBytes, imageSha256, templateId } = decodeRequest(EnsureDisk, request);
  await directory.actorOf(intent.vmId).ensureDisk(intent, { volumeId, sizeBytes, imageSha256, templateId }, signal);
  return { sizeBytes };
}
