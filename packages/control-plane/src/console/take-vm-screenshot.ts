import { DomainError, pngRefusal, type VmId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { agentOfVm } from '../vm/agent-of-vm.js';
import { getVm } from '../vm/vms.js';

/** QEMU draws it in some 50 ms; the rest is for a busy host. */
const SCREENSHOT_TIMEOUT_MS = 15_000;

/** The screen of a VM as a PNG file, checked to be one: it goes to browsers. Throws conflict_state if it has none or does not run. */
export async function takeVmScreenshot(cp: ControlPlane, actor: Actor, vmId: VmId): Promise<Uint8Array> {
  const agent = await agentOfVm(cp, await getVm(cp, actor, vmId));
  const file = await agent.takeScreenshot(vmId, { timeoutMs: SCREENSHOT_TIMEOUT_MS });
  const refusal = pngRefusal(file);
  if (refusal !== null) throw new DomainError('host_fault', `what the host sent as a screenshot ${refusal}`);
  return file;
}
