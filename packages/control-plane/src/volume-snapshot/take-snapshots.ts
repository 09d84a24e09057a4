import { DomainError, FREEZE_MS_DEFAULT, type SnapshotFreeze } from '@kvorum/schema';
import type { AgentPort } from '../agents/agent-port.js';
import type { AgentVolumeToSnapshot } from '../agents/volume-port.js';
import { type HeldVolumes, vmIdOfHeld } from '../volume/hold-volumes.js';
import { type VolumeContext, volumeCallOptions } from '../volume/volume-operation.js';

/** Of volumes that are held, at one instant. Returns whether the guest kept its file systems frozen meanwhile. */
export async function takeSnapshots(
  context: VolumeContext,
  agent: AgentPort,
  volumes: readonly AgentVolumeToSnapshot[],
  held: HeldVolumes,
  freeze: SnapshotFreeze,
): Promise<boolean> {
  const isFrozen = held.vm?.power === 'running' && freeze !== 'never' && held.vm.guestAgent === 'responding';
  const request = { vmId: vmIdOfHeld(held), freezeTimeoutMs: isFrozen ? FREEZE_MS_DEFAULT : 0 };
  const taken = await agent.snapshotVolumes(volumes, request, volumeCallOptions(context)).catch((error: unknown) => {
    if (freeze === 'required' || !isFreezeRefused(error)) throw error;
    return agent.snapshotVolumes(volumes, { ...request, freezeTimeoutMs: 0 }, volumeCallOptions(context));
  });
  return taken.wasFrozen;
}

const isFreezeRefused = (error: unknown): boolean =>
  error instanceof DomainError && error.code === 'guest_agent_failed';
