import type { FreezeTemplateRequest, FreezeTemplateResponse } from '@kvorum/schema/agent-wire';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, FreezeTemplate } from './decode-request.js';

export async function freezeTemplate(
  { directory }: AgentServices,
  request: FreezeTemplateRequest,
  signal: AbortSignal,
): Promise<FreezeTemplateResponse> {
  const { intent, templateId, isLast } = decodeRequest(FreezeTemplate, request);
  const actor = directory.actorOf(intent.vmId);
  const { occupiedBytes, rootDiskBytes } = await actor.freezeTemplate(intent, templateId, isLast, signal);
  return { occupiedBytes, rootDiskBytes };
}
