import { DomainError, type Vm } from '@kvorum/schema';
import type { AgentPort } from '../agents/agent-port.js';
import type { ControlPlane } from '../control-plane.js';
import { findHostAddress } from '../host/host.store.js';

/** The agent of the host a VM is on. Throws conflict_state if it is on none. */
export async function agentOfVm(cp: ControlPlane, vm: Pick<Vm, 'hostId'>): Promise<AgentPort> {
  const host = vm.hostId === null ? null : await findHostAddress(cp.database, vm.hostId);
  if (host === null) throw new DomainError('conflict_state', 'the VM is on no host, so it has no console and no guest');
  return cp.agents.agentOf(host);
}
