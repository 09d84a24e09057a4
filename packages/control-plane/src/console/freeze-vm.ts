import type { FrozenVm, ThawedVm, VmId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { agentOfVm } from '../vm/agent-of-vm.js';
import { getVm } from '../vm/vms.js';

/** A guest flushes its file systems first; the agent gives it 20 s. */
const FREEZE_TIMEOUT_MS = 30_000;
const THAW_TIMEOUT_MS = 15_000;

/** Halts the writes of a guest for a copy that belongs together; its host thaws it in time whatever happens to anybody else. */
export async function freezeVm(cp: ControlPlane, actor: Actor, vmId: VmId, durationMs: number): Promise<FrozenVm> {
  const agent = await agentOfVm(cp, await getVm(cp, actor, vmId));
  const { freezeId, fileSystemCount, thawsAtMs } = await agent.freezeGuest(vmId, durationMs, {
    timeoutMs: FREEZE_TIMEOUT_MS,
  });
  await record(cp, actor, vmId, 'vm.frozen', { freezeId, durationMs, fileSystemCount });
  return { freezeId, fileSystemCount, thawsAt: new Date(thawsAtMs).toISOString() };
}

/** Lets the guest go on. Safe to ask again: what is thawed stays so. */
export async function thawVm(cp: ControlPlane, actor: Actor, vmId: VmId, freezeId: string | null): Promise<ThawedVm> {
  const agent = await agentOfVm(cp, await getVm(cp, actor, vmId));
  const thawed = await agent.thawGuest(vmId, freezeId, { timeoutMs: THAW_TIMEOUT_MS });
  await record(cp, actor, vmId, 'vm.thawed', thawed);
  return thawed;
}

async function record(cp: ControlPlane, actor: Actor, vmId: VmId, type: string, data: object): Promise<void> {
  const { projectId } = await getVm(cp, actor, vmId);
  const by = actor.tokenName ?? actor.tokenId;
  await withTransaction(cp.database, (tx) =>
    recordEvent(tx, { type, projectId, resourceKind: 'vm', resourceId: vmId, data: { ...data, by } }),
  );
}
