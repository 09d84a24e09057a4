import type { ObserveVmsRequest, ObserveVmsResponse } from '@kvorum/schema/agent-wire';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, ObserveVms } from './decode-request.js';

export async function observeVms(
  { directory, writer }: AgentServices,
  request: ObserveVmsRequest,
): Promise<ObserveVmsResponse> {
  const { vmIds } = decodeRequest(ObserveVms, request);
  const actors =
    vmIds.length === 0
      ? directory.actors
      : [...new Set(vmIds)].map((vmId) => directory.find(vmId)).filter((actor) => actor !== null);
  return { vms: writer.vmReports(actors) };
}
