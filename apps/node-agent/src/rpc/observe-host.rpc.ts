import type { ObserveHostResponse } from '@kvorum/schema/agent-wire';
import { AGENT_VERSION } from '../agent-version.js';
import { toWireAccelerator, toWireFacts } from '../host/host-wire.js';
import type { AgentServices } from './agent-services.js';

export async function observeHost({ inventory, writer }: AgentServices): Promise<ObserveHostResponse> {
  await inventory.refresh();
  const { facts, accelerators } = inventory.latest;
  return {
    facts: toWireFacts(facts),
    accelerator: toWireAccelerator(accelerators[0]),
    capacity: writer.capacity(),
    agentVersion: AGENT_VERSION,
  };
}
