import type { AgentPort } from '../agents/agent-port.js';
import type { VolumeIntent } from '../agents/volume-port.js';
import { type Tx, withTransaction } from '../database/database.js';
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
  // The VM is let go after the end of the snapshot; then its volume is somebody else's to ask of.
  if (!(await withTransaction(context.services.database, (tx) => isHeld(tx, source.held)))) return;
  const { poolId } = source.pooled;
  const agent = await agentFor(context, source);
  const snapshot = { poolId, snapshotId: context.operationId };
  const intent = volumeIntentOf(context, source.pooled);
  await agent.removeVolumeSnapshot(intent, snapshot, volumeCallOptions(context));
}

async function isHeld(tx: Tx, { vmId, generation }: HeldVm): Promise<boolean> {
  const vm = await findVmForIntent(tx, vmId);
  return vm !== null && vm.generation === generation && vm.state === 'updating';
}

/** Lets the VM go, once: it may have been let go by the step for that, and taken by another operation since. */
export async function releaseSource(
  tx: Tx,
  operationId: string,
  { held, pooled }: { readonly held: HeldVm; readonly pooled: VolumeTarget | null },
): Promise<void> {
  if (!(await isHeld(tx, held))) return;
  if (pooled === null) await releaseVm(tx, operationId, held);
  else await releaseHeld(tx, operationId, { vm: held, volumes: [pooled] }, { state: 'available' });
}
