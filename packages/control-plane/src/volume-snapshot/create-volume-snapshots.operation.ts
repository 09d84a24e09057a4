import { DomainError, SnapshotFreeze } from '@kvorum/schema';
import { z } from 'zod';
import { HeldVolumes, releaseHeld } from '../volume/hold-volumes.js';
import {
  agentOfPool,
  defineVolumeOperation,
  VOLUME_DEADLINE_MS,
  VOLUME_UNWIND_MS,
  type VolumeContext,
  volumeCallOptions,
  volumeIntentOf,
} from '../volume/volume-operation.js';
import { returnVolumeRoom } from '../volume/volume-room.js';
import { takeSnapshots } from './take-snapshots.js';
import { markSnapshotsAvailable, markSnapshotsDeleted } from './volume-snapshot.store.js';

const Snapshot = z.object({
  id: z.uuid(),
  volumeId: z.uuid(),
  poolId: z.uuid(),
  projectId: z.uuid(),
  generation: z.int(),
  sizeBytes: z.int(),
});

export const CreateSnapshotsInput = z.object({
  held: HeldVolumes,
  snapshots: z.array(Snapshot).min(1),
  freeze: SnapshotFreeze,
});
export type CreateSnapshotsInput = z.infer<typeof CreateSnapshotsInput>;

/** A VM's volumes are switched by its own host; those that no VM runs with by any that reaches their pool. */
const agentFor = (context: VolumeContext, { held, snapshots }: CreateSnapshotsInput) =>
  agentOfPool(context.services, snapshots[0]?.poolId ?? '', held.vm?.hostId ?? null);

export const createSnapshotsOperation = defineVolumeOperation({
  kind: 'volume-snapshot.create',
  inputShape: CreateSnapshotsInput,
  deadlineMs: VOLUME_DEADLINE_MS,
  unwindDeadlineMs: VOLUME_UNWIND_MS,
})
  .step('take-snapshots', {
    run: async (context) => {
      const { held, snapshots, freeze } = context.input;
      const agent = await agentFor(context, context.input);
      const volumes = snapshots.map(({ id, poolId, ...target }) => {
        return { intent: volumeIntentOf(context, target), poolId, snapshotId: id };
      });
      const wasFrozen = await takeSnapshots(context, agent, volumes, held, freeze);
      if (freeze === 'required' && held.vm?.power === 'running' && !wasFrozen) {
        throw new DomainError('guest_agent_failed', 'the guest did not keep its file systems frozen for the snapshot');
      }
      return { wasFrozen };
    },
    undo: async (context) => {
      const agent = await agentFor(context, context.input);
      for (const { id, poolId, ...target } of context.input.snapshots) {
        const intent = volumeIntentOf(context, target);
        await agent.removeVolumeSnapshot(intent, { poolId, snapshotId: id }, volumeCallOptions(context));
      }
    },
  })
  .settle({
    done: async (tx, { operationId, input, outputs }) => {
      await markSnapshotsAvailable(
        tx,
        input.snapshots.map(({ id }) => id),
        outputs['take-snapshots'].wasFrozen,
      );
      await releaseHeld(tx, operationId, input.held, { state: 'available' });
    },
    unwound: async (tx, { operationId, input, error }) => {
      for (const { projectId, poolId, sizeBytes } of input.snapshots) {
        await returnVolumeRoom(tx, projectId, poolId, sizeBytes);
      }
      await markSnapshotsDeleted(
        tx,
        input.snapshots.map(({ id }) => id),
      );
      await releaseHeld(tx, operationId, input.held, { state: 'available', failure: error });
    },
  });
