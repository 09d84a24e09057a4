import type { RemoveTemplateRequest, RemoveTemplateResponse } from '@kvorum/schema/agent-wire';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, RemoveTemplate } from './decode-request.js';

export async function removeTemplate(
  { templates }: AgentServices,
  request: RemoveTemplateRequest,
): Promise<RemoveTemplateResponse> {
  const { templateId } = decodeRequest(RemoveTemplate, request);
  await templates.remove(templateId);
  return {};
}
