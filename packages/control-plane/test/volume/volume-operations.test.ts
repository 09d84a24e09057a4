import {
  GIB,
  type OperationId,
  type Project,
  type ProjectId,
  type StoragePoolId,
  type Volume,
  type VolumeId,
  type VolumeSnapshotId,
} from '@kvorum/schema';
import { afterAll, beforeAll, expect } from 'vitest';
import type { ControlPlane } from '../../src/control-plane.js';
import type { Database } from '../../src/database/database.js';
import type { AnyDefinition } from '../../src/operations/operation-run.js';
import { getProject } from '../../src/project/projects.js';
import { reconcileLeakedReservations } from '../../src/reconcilers/leaked-reservations.reconciler.js';
import { operationDefinitions, type WorkerServices } from '../../src/vm/operation-definitions.js';
import { createVolume } from '../../src/volume/create-volume.js';
import { deleteVolume } from '../../src/volume/delete-volume.js';
import { growVolume } from '../../src/volume/grow-volume.js';
import { purgeVolume } from '../../src/volume/purge-volume.js';
import { restoreVolume } from '../../src/volume/restore-volume.js';
import { findVolume } from '../../src/volume/volume.store.js';
import { createVolumeSnapshots } from '../../src/volume-snapshot/create-volume-snapshots.js';
import { deleteVolumeSnapshot } from '../../src/volume-snapshot/delete-volume-snapshot.js';
import { revertToSnapshot } from '../../src/volume-snapshot/revert-to-snapshot.js';
import { makeWorker, proveOperation, workToEnd } from '../operation-harness.js';
import { aHost, aName, aProject } from '../world/fleet-builder.js';
import { aPoolReport, MemoryPools, reportPools } from '../world/memory-pools.js';
import { openTestControlPlane, type TestControlPlane } from '../world/test-control-plane.js';

/** Every operation on volumes, proved on a real database; the pools are in memory, with their fences. */
let test: TestControlPlane;
let pools: MemoryPools;
let cp: ControlPlane;
let poolId: StoragePoolId;
beforeAll(async () => {
  test = await openTestControlPlane();
  pools = new MemoryPools();
  cp = { ...test.cp, agents: pools };
  const report = aPoolReport({ totalBytes: 100_000 * GIB });
  poolId = report.poolId as StoragePoolId;
  await reportPools(test, await aHost(test), [report]);
});
afterAll(() => test.close());

interface World {
  readonly database: Database;
  readonly project: Project;
  volumeId: VolumeId;
  snapshotId: VolumeSnapshotId;
}

type Kind = Parameters<typeof operationDefinitions.get>[0];
const definitionOf = (kind: Kind): AnyDefinition<WorkerServices> => {
  const definition = operationDefinitions.get(kind);
  if (definition === undefined) throw new TypeError(`${kind} has a definition`);
  return definition;
};

const perform = async (asked: Promise<{ operation: { id: OperationId; kind: Kind } }>): Promise<void> => {
  const { id, kind } = (await asked).operation;
  const worker = makeWorker(cp.database, definitionOf(kind), cp);
  try {
    expect(await workToEnd(cp.database, worker, id)).toEqual({ state: 'succeeded', error: null });
  } finally {
    worker.die();
  }
};

const SIZE = 2 * GIB;
const requestCreate = async (world: World) => {
  const request = { name: aName('volume'), projectId: world.project.id, poolId, sizeBytes: SIZE };
  const accepted = await createVolume(cp, test.admin, request);
  world.volumeId = accepted.resourceId as VolumeId;
  return accepted;
};
const requestSnapshot = async (world: World) => {
  const request = { name: aName('snapshot'), volumeIds: [world.volumeId], freeze: 'auto' as const };
  const accepted = await createVolumeSnapshots(cp, test.admin, request);
  const [row] = await test.sql<{ id: VolumeSnapshotId }>('SELECT id FROM volume_snapshots WHERE set_id = $1', [
    accepted.resourceId,
  ]);
  if (row !== undefined) world.snapshotId = row.id;
  return accepted;
};

const aWorld = async (): Promise<World> => ({
  database: cp.database,
  project: await aProject(test),
  volumeId: '' as VolumeId,
  snapshotId: '' as VolumeSnapshotId,
});
const aWorldWithVolume = async (): Promise<World> => {
  const world = await aWorld();
  await perform(requestCreate(world));
  return world;
};
const aWorldWithTrash = async (): Promise<World> => {
  const world = await aWorldWithVolume();
  await perform(deleteVolume(cp, test.admin, world.volumeId));
  return world;
};
/** With a snapshot, and written to and grown since. */
const aWorldWithSnapshot = async (): Promise<World> => {
  const world = await aWorldWithVolume();
  pools.get(world.volumeId).content = 'before';
  await perform(requestSnapshot(world));
  pools.get(world.volumeId).content = 'after';
  await perform(growVolume(cp, test.admin, world.volumeId, { sizeBytes: 2 * SIZE }));
  return world;
};

/** The record of the volume, what its project pays, and that all sums are right. */
async function expectVolume(world: World, wanted: Partial<Volume> | null, diskBytes: number): Promise<void> {
  const volume = await findVolume(cp.database, world.volumeId);
  if (wanted === null) expect(volume).toBeNull();
  else expect(volume).toMatchObject(wanted);
  const { used } = await getProject(cp, test.admin, world.project.id as ProjectId);
  expect(used).toEqual({ vmCount: 0, vcpuCount: 0, memoryBytes: 0, diskBytes });
  expect(await reconcileLeakedReservations(cp)).toBe(0);
}

const stored = ({ volumeId }: World) => pools.volumes.get(volumeId);
const common = {
  services: (): WorkerServices => cp,
  close: async (): Promise<void> => undefined,
};
const idOf = async (asked: Promise<{ operation: { id: OperationId } }>): Promise<OperationId> =>
  (await asked).operation.id;

proveOperation<World, WorkerServices>({
  ...common,
  definition: definitionOf('volume.create'),
  arrange: aWorld,
  request: (world) => idOf(requestCreate(world)),
  expectDone: async (world) => {
    expect(stored(world)).toMatchObject({ sizeBytes: SIZE, state: 'ready', ownerId: world.project.id });
    await expectVolume(world, { state: 'available', sizeBytes: SIZE, failure: null }, SIZE);
  },
  expectCleanSlate: async (world) => {
    expect(stored(world)).toBeUndefined();
    await expectVolume(world, null, 0);
  },
});

proveOperation<World, WorkerServices>({
  ...common,
  definition: definitionOf('volume.grow'),
  arrange: aWorldWithVolume,
  request: ({ volumeId }) => idOf(growVolume(cp, test.admin, volumeId, { sizeBytes: 2 * SIZE })),
  expectDone: async (world) => {
    expect(stored(world)).toMatchObject({ sizeBytes: 2 * SIZE });
    await expectVolume(world, { state: 'available', sizeBytes: 2 * SIZE }, 2 * SIZE);
  },
  expectCleanSlate: async (world) => {
    expect(stored(world)).toMatchObject({ sizeBytes: SIZE });
    await expectVolume(world, { state: 'available', sizeBytes: SIZE }, SIZE);
  },
});

proveOperation<World, WorkerServices>({
  ...common,
  definition: definitionOf('volume.delete'),
  arrange: aWorldWithVolume,
  request: ({ volumeId }) => idOf(deleteVolume(cp, test.admin, volumeId)),
  expectDone: async (world) => {
    expect(stored(world)).toMatchObject({ state: 'trashed' });
    // What is in the trash can be restored, and counts.
    await expectVolume(world, { state: 'trashed', trashedAt: expect.any(String), purgeAt: expect.any(String) }, SIZE);
  },
  expectCleanSlate: async (world) => {
    expect(stored(world)).toMatchObject({ state: 'ready' });
    await expectVolume(
      world,
      { state: 'available', trashedAt: null, failure: { code: expect.any(String) } as never },
      SIZE,
    );
  },
});

proveOperation<World, WorkerServices>({
  ...common,
  definition: definitionOf('volume.restore'),
  arrange: aWorldWithTrash,
  request: ({ volumeId }) => idOf(restoreVolume(cp, test.admin, volumeId)),
  expectDone: async (world) => {
    expect(stored(world)).toMatchObject({ state: 'ready' });
    await expectVolume(world, { state: 'available', trashedAt: null }, SIZE);
  },
  expectCleanSlate: async (world) => {
    expect(stored(world)).toMatchObject({ state: 'trashed' });
    await expectVolume(world, { state: 'trashed', trashedAt: expect.any(String) }, SIZE);
  },
});

proveOperation<World, WorkerServices>({
  ...common,
  definition: definitionOf('volume.purge'),
  arrange: aWorldWithTrash,
  request: ({ volumeId }) => idOf(purgeVolume(cp, test.admin, volumeId)),
  expectDone: async (world) => {
    expect(stored(world)).toBeUndefined();
    await expectVolume(world, null, 0);
  },
  expectCleanSlate: async (world) => {
    expect(stored(world)).toMatchObject({ state: 'trashed' });
    await expectVolume(world, { state: 'trashed' }, SIZE);
  },
});

proveOperation<World, WorkerServices>({
  ...common,
  definition: definitionOf('volume.revert'),
  arrange: aWorldWithSnapshot,
  request: ({ snapshotId }) => idOf(revertToSnapshot(cp, test.admin, snapshotId)),
  expectDone: async (world) => {
    expect(stored(world)).toMatchObject({ content: 'before', sizeBytes: SIZE });
    await expectVolume(world, { state: 'available', sizeBytes: SIZE, snapshotCount: 1 }, 2 * SIZE);
  },
  expectCleanSlate: async (world) => {
    expect(stored(world)).toMatchObject({ content: 'after', sizeBytes: 2 * SIZE });
    await expectVolume(world, { state: 'available', sizeBytes: 2 * SIZE, snapshotCount: 1 }, 3 * SIZE);
  },
});

proveOperation<World, WorkerServices>({
  ...common,
  definition: definitionOf('volume-snapshot.create'),
  arrange: aWorldWithVolume,
  request: (world) => idOf(requestSnapshot(world)),
  expectDone: async (world) => {
    expect(stored(world)?.snapshots.size).toBe(1);
    await expectVolume(world, { state: 'available', snapshotCount: 1 }, 2 * SIZE);
  },
  expectCleanSlate: async (world) => {
    expect(stored(world)?.snapshots.size).toBe(0);
    await expectVolume(world, { state: 'available', snapshotCount: 0 }, SIZE);
  },
});

proveOperation<World, WorkerServices>({
  ...common,
  definition: definitionOf('volume-snapshot.delete'),
  arrange: aWorldWithSnapshot,
  request: ({ snapshotId }) => idOf(deleteVolumeSnapshot(cp, test.admin, snapshotId)),
  expectDone: async (world) => {
    expect(stored(world)?.snapshots.size).toBe(0);
    await expectVolume(world, { state: 'available', snapshotCount: 0 }, 2 * SIZE);
  },
  expectCleanSlate: async (world) => {
    expect(stored(world)?.snapshots.size).toBe(1);
    await expectVolume(world, { state: 'available', snapshotCount: 1 }, 3 * SIZE);
  },
});
