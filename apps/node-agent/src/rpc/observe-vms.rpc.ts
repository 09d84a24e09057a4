import type { ObserveVmsRequest, ObserveVmsResponse } from '@kvorum/schema/agent-wire';
import type { AgentServices } from './agent-services.js';
import { decodeRequest, ObserveVms } from './decode-request.js';

export async function observeVms(
  { directory, writer, keeper }: AgentServices,
  request: ObserveVmsRequest,
): Promise<ObserveVmsResponse> {
  const { vmIds } = decodeRequest(ObserveVms, request);
  const actors =
    vmIds.length === 0
      ? directory.actors
      : [...new Set(vmIds)].map((vmId) => directory.find(vmId)).filter((actor) => actor !== null);
  // Who asks for some wants to know how they are now, also where their threads may run.
  if (vmIds.length > 0) await keeper.audit(vmIds);
  return { vms: writer.vmReports(actors) };
}
