import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import {
  DomainError,
  type ImageId,
  type OperationId,
  PLAIN_HARDWARE,
  type ProjectId,
  type StoragePoolId,
  type VmId,
} from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Database } from '../../src/database/database.js';
import { createImage } from '../../src/image/create-image.js';
import { getImage, listImages } from '../../src/image/images.js';
import { planVmPublish, publishVm } from '../../src/image/publish-vm.js';
import { uploadImageContent } from '../../src/image/upload-image.js';
import type { AnyDefinition } from '../../src/operations/operation-run.js';
import { createVm } from '../../src/vm/create-vm.js';
import { operationDefinitions, type WorkerServices } from '../../src/vm/operation-definitions.js';
import { requestVm } from '../../src/vm/request-vm.js';
import { getVm } from '../../src/vm/vms.js';
import { findVolumesOfVm } from '../../src/volume/volume.store.js';
import { makeWorker, proveOperation, workToEnd } from '../operation-harness.js';
import { aName, aProject, vmRequest } from '../world/fleet-builder.js';
import { openSimulatedFleet, REPORT_WAIT, type SimulatedFleet } from '../world/simulated-fleet.js';

/** Images of VMs whose root disks lie on a pool, which is a real folder of real agents. */
let fleet: SimulatedFleet;
let poolId: StoragePoolId;
let poolPath: string;
let imageId: ImageId;
beforeAll(async () => {
  fleet = await openSimulatedFleet({ hostCount: 1, vmsPerHost: 500, storagePools: ['fast=dir:%'] });
  const seen = await vi.waitFor(async () => {
    const [row] = await fleet.test.sql<{ id: StoragePoolId }>('SELECT id FROM storage_pools');
    if (row === undefined) throw new Error('the pool has not been reported yet');
    return row;
  }, REPORT_WAIT);
  poolId = seen.id;
  poolPath = fleet.poolFolders[0]?.slice('fast=dir:'.length) ?? '';
  imageId = await aReadableImage();
});
afterAll(() => fleet.close());

/** One that QEMU reads, as the pool does. */
async function aReadableImage(): Promise<ImageId> {
  const file = join(fleet.test.dataDir, 'disk.qcow2');
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', file, '4M']);
  const content = await readFile(file);
  const sha256 = createHash('sha256').update(content).digest('hex');
  const request = { name: aName('image'), sha256, isPublic: true, labels: {} };
  const { id } = await createImage(fleet.test.cp, fleet.test.admin, request);
  await uploadImageContent(fleet.test.cp, fleet.test.admin, id, Readable.from([content]), content.byteLength);
  return id;
}

type Kind = Parameters<typeof operationDefinitions.get>[0];
const definitionOf = (kind: Kind): AnyDefinition<WorkerServices> => {
  const definition = operationDefinitions.get(kind);
  if (definition === undefined) throw new TypeError(`${kind} has a definition`);
  return definition;
};
const work = async (operationId: OperationId, kind: Kind) => {
  const { cp } = fleet.test;
  const worker = makeWorker(cp.database, definitionOf(kind), cp);
  try {
    return await workToEnd(cp.database, worker, operationId);
  } finally {
    worker.die();
  }
};

interface World {
  readonly database: Database;
  readonly projectId: ProjectId;
  readonly vmId: VmId;
  readonly imageName: string;
  readonly recordsBefore: readonly string[];
}

const requestOf = (projectId: ProjectId) => {
  const { rootDisk } = PLAIN_HARDWARE.devices;
  const devices = { ...PLAIN_HARDWARE.devices, rootDisk: { ...rootDisk, poolId } };
  return { ...vmRequest(fleet, { projectId }), imageId, hardware: { ...PLAIN_HARDWARE, devices } };
};
const recordsOfPool = async (): Promise<string[]> => (await readdir(join(poolPath, 'volumes'))).sort();

async function aVm(start: boolean): Promise<World> {
  const { id } = await aProject(fleet.test);
  const projectId = id as ProjectId;
  const { operation, resourceId } = await createVm(fleet.test.cp, fleet.test.admin, { ...requestOf(projectId), start });
  expect(await work(operation.id, 'vm.create')).toEqual({ state: 'succeeded', error: null });
  const { database } = fleet.test.cp;
  const recordsBefore = await recordsOfPool();
  return { database, projectId, vmId: resourceId as VmId, imageName: aName('golden'), recordsBefore };
}
const publish = ({ vmId, imageName }: World) =>
  publishVm(fleet.test.cp, fleet.test.admin, vmId, { name: imageName, description: 'with all in it' });
const vmOf = ({ vmId }: World) => getVm(fleet.test.cp, fleet.test.admin, vmId);
const imageOf = async ({ projectId, imageName: name }: World) => {
  const { items } = await listImages(fleet.test.cp, fleet.test.admin, { projectId, name, limit: 10 });
  return items[0];
};
const volumeOf = async ({ vmId }: World) => (await findVolumesOfVm(fleet.test.cp.database, vmId))[0];
/** What the pool has on record of the root disk. */
const snapshotsOnPool = async (world: World): Promise<unknown[]> => {
  const volume = await volumeOf(world);
  return JSON.parse(await readFile(join(poolPath, 'volumes', `${volume?.id}.json`), 'utf8')).snapshots;
};
async function expectLeftAlone(world: World): Promise<void> {
  expect(await volumeOf(world)).toMatchObject({ state: 'available', failure: null });
  expect(await snapshotsOnPool(world)).toEqual([]);
  expect(await recordsOfPool()).toEqual(world.recordsBefore);
}

describe('a VM whose root disk lies on a storage pool', () => {
  proveOperation<World, WorkerServices>({
    definition: definitionOf('vm.publish'),
    arrange: () => aVm(false),
    request: async (world) => (await publish(world)).operation.id,
    services: () => fleet.test.cp,
    expectDone: async (world) => {
      const image = await imageOf(world);
      expect(image).toMatchObject({ state: 'available', description: 'with all in it', failure: null });
      expect(image?.source).toMatchObject({ url: null, format: 'qcow2', vm: { id: world.vmId } });
      expect(await vmOf(world)).toMatchObject({ state: 'stopped', failure: null });
      await expectLeftAlone(world);
    },
    expectCleanSlate: async (world) => {
      expect(await imageOf(world)).toMatchObject({ state: 'failed', sha256: null });
      expect(await vmOf(world)).toMatchObject({ state: 'stopped' });
      expect(await volumeOf(world)).toMatchObject({ state: 'available' });
      expect(await snapshotsOnPool(world)).toEqual([]);
      expect(await recordsOfPool()).toEqual(world.recordsBefore);
    },
    close: async () => undefined,
    dyingLeaseMs: 3_000,
  });

  it('is free again as soon as there is a clone of it: it is started and deleted while it is published', async () => {
    const world = await aVm(false);
    const { operation, resourceId } = await publish(world);
    expect(await vmOf(world)).toMatchObject({ state: 'updating' });
    const { cp, admin } = fleet.test;
    const images: typeof cp.images = Object.create(cp.images);
    images.receive = async (...given) => {
      expect(await vmOf(world)).toMatchObject({ state: 'stopped' });
      const start = await requestVm(cp, admin, world.vmId, 'start', {});
      expect(await work(start.operation.id, 'vm.start')).toEqual({ state: 'succeeded', error: null });
      const gone = await requestVm(cp, admin, world.vmId, 'delete', {});
      expect(await work(gone.operation.id, 'vm.delete')).toEqual({ state: 'succeeded', error: null });
      return cp.images.receive(...given);
    };
    const worker = makeWorker(cp.database, definitionOf('vm.publish'), { ...cp, images });
    expect(await workToEnd(cp.database, worker, operation.id)).toEqual({ state: 'succeeded', error: null });
    worker.die();
    const image = await getImage(cp, admin, resourceId as ImageId);
    expect(image).toMatchObject({ state: 'available', sha256: image.source?.sha256 });
    const second = await createVm(cp, admin, { ...requestOf(world.projectId), imageId: image.id });
    expect(await work(second.operation.id, 'vm.create')).toEqual({ state: 'succeeded', error: null });
  });

  it('is taken back also when it has begun another life meanwhile', async () => {
    const world = await aVm(false);
    const { operation } = await publish(world);
    const { cp, admin } = fleet.test;
    const receive = async () => {
      const start = await requestVm(cp, admin, world.vmId, 'start', {});
      expect(await work(start.operation.id, 'vm.start')).toEqual({ state: 'succeeded', error: null });
      throw new DomainError('host_fault', 'the content does not come');
    };
    const images = { receive, remove: (id: string) => cp.images.remove(id) };
    const services = { ...cp, images } as unknown as WorkerServices;
    const worker = makeWorker(cp.database, definitionOf('vm.publish'), services);
    expect(await workToEnd(cp.database, worker, operation.id)).toMatchObject({ state: 'failed' });
    worker.die();
    expect(await imageOf(world)).toMatchObject({ state: 'failed' });
    expect(await vmOf(world)).toMatchObject({ state: 'running' });
    expect(await recordsOfPool()).toEqual(world.recordsBefore);
  });

  it('says beforehand what is done, and that a guest that runs may not be clean', async () => {
    const world = await aVm(true);
    const plan = await planVmPublish(fleet.test.cp, fleet.test.admin, world.vmId, { name: world.imageName });
    expect(plan.steps).toEqual(['clone-disk', 'release-vm', 'publish', 'remove-clone']);
    expect(plan.warnings.join()).toContain('the VM runs');
    expect(await imageOf(world)).toBeUndefined();
    expect(await vmOf(world)).toMatchObject({ state: 'running' });
  });
});
