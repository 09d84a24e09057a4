import { DomainError } from '@kvorum/schema';
import type { AgentPort } from '../agents/agent-port.js';
import type { VolumeIntent } from '../agents/volume-port.js';
import type { Tx } from '../database/database.js';
import { findVmForIntent } from '../vm/vm-intent.store.js';
import { type HeldVm, releaseHeld, releaseVm } from '../volume/hold-volumes.js';
import {
  agentOfPool,
  type VolumeContext,
  type VolumeTarget,
  volumeCallOptions,
  volumeIntentOf,
} from '../volume/volume-operation.js';
import { takeSnapshots } from '../volume-snapshot/take-snapshots.js';

/** Where what is published lies: the root volume of the VM. */
export interface SourceOnPool {
  readonly held: HeldVm;
  readonly pooled: VolumeTarget;
}

/** A layer as large as the volume may have to be merged when the snapshot goes. */
const REMOVE_MS = 6 * 3_600_000;

/** The clone and the snapshot it comes from are called by the operation, and the clone has no other intent than this one. */
const cloneIntentOf = ({ operationId, fencingToken }: VolumeContext): VolumeIntent => ({
  volumeId: operationId,
  generation: 1,
  fencingToken,
  operationId,
});

const agentFor = (context: VolumeContext, { held, pooled }: SourceOnPool): Promise<AgentPort> =>
  agentOfPool(context.services, pooled.poolId, held.hostId);

/**
 * A linked clone of the volume as it is now, and nothing else: what it shares with the volume it keeps by itself, so that the VM can go its own way.
 * Where the clone is there already, all but the end of the snapshot was done by another worker.
 */
export async function cloneToPublish(context: VolumeContext, source: SourceOnPool): Promise<void> {
  const { held, pooled } = source;
  const { operationId: snapshotId } = context;
  const agent = await agentFor(context, source);
  const { poolId, volumeId, projectId: ownerId } = pooled;
  const intent = volumeIntentOf(context, pooled);
  const made = await agent.observeVolume(poolId, snapshotId, volumeCallOptions(context));
  if (made?.state !== 'ready') {
    await takeSnapshots(context, agent, [{ intent, poolId, snapshotId }], { vm: held, volumes: [pooled] }, 'auto');
    const clone = { poolId, ownerId, source: { volumeId, snapshotId }, isLinked: true };
    await agent.cloneVolume(cloneIntentOf(context), clone, volumeCallOptions(context));
  }
  await agent.removeVolumeSnapshot(intent, { poolId, snapshotId }, volumeCallOptions(context, REMOVE_MS));
}

export async function removeClone(context: VolumeContext, source: SourceOnPool): Promise<void> {
  const agent = await agentFor(context, source);
  const { poolId } = source.pooled;
  await agent.removeVolume(cloneIntentOf(context), poolId, volumeCallOptions(context));
  await agent.purgeVolume(cloneIntentOf(context), poolId, volumeCallOptions(context));
}

export async function undoClone(context: VolumeContext, source: SourceOnPool): Promise<void> {
  await removeClone(context, source);
  const { poolId } = source.pooled;
  const agent = await agentFor(context, source);
  const snapshot = { poolId, snapshotId: context.operationId };
  try {
    const intent = volumeIntentOf(context, source.pooled);
    await agent.removeVolumeSnapshot(intent, snapshot, volumeCallOptions(context));
  } catch (error) {
    // Somebody else has the volume now, or it is gone: the VM was let go, and that is after the end of the snapshot.
    if (error instanceof DomainError && (error.code === 'stale_generation' || error.code === 'not_found')) return;
    throw error;
  }
}

/** Lets the VM go, once: it may have been let go by the step for that, and taken by another operation since. */
export async function releaseSource(
  tx: Tx,
  operationId: string,
  { held, pooled }: { readonly held: HeldVm; readonly pooled: VolumeTarget | null },
): Promise<void> {
  const vm = await findVmForIntent(tx, held.vmId);
  if (vm === null || vm.generation !== held.generation || vm.state !== 'updating') return;
  if (pooled === null) await releaseVm(tx, operationId, held);
  else await releaseHeld(tx, operationId, { vm: held, volumes: [pooled] }, { state: 'available' });
}
