import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { DomainError, type ImageId, type OperationId, type ProjectId, type VmId } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../src/database/database.js';
import { getImage, listImages } from '../../src/image/images.js';
import { planVmPublish, publishVm } from '../../src/image/publish-vm.js';
import { uploadImageContent } from '../../src/image/upload-image.js';
import type { AnyDefinition } from '../../src/operations/operation-run.js';
import { createVm } from '../../src/vm/create-vm.js';
import { operationDefinitions, type WorkerServices } from '../../src/vm/operation-definitions.js';
import { requestVm } from '../../src/vm/request-vm.js';
import { getVm } from '../../src/vm/vms.js';
import { makeWorker, proveOperation, workToEnd } from '../operation-harness.js';
import { aName, aProject, vmRequest } from '../world/fleet-builder.js';
import { openSimulatedFleet, type SimulatedFleet } from '../world/simulated-fleet.js';

/** Images of stopped VMs from real agents over gRPC and mTLS. */
let fleet: SimulatedFleet;
beforeAll(async () => {
  fleet = await openSimulatedFleet({ hostCount: 1, vmsPerHost: 500 });
});
afterAll(() => fleet.close());

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
}

async function aVm(start: boolean): Promise<World> {
  const { id } = await aProject(fleet.test);
  const projectId = id as ProjectId;
  const { operation, resourceId } = await createVm(
    fleet.test.cp,
    fleet.test.admin,
    vmRequest(fleet, { projectId, start }),
  );
  expect(await work(operation.id, 'vm.create')).toEqual({ state: 'succeeded', error: null });
  return { database: fleet.test.cp.database, projectId, vmId: resourceId as VmId, imageName: aName('golden') };
}
const publish = ({ vmId, imageName }: World, options = {}) =>
  publishVm(fleet.test.cp, fleet.test.admin, vmId, { name: imageName, description: 'with all in it' }, options);
const vmOf = ({ vmId }: World) => getVm(fleet.test.cp, fleet.test.admin, vmId);
const imageOf = async ({ projectId, imageName: name }: World) => {
  const { items } = await listImages(fleet.test.cp, fleet.test.admin, { projectId, name, limit: 10 });
  return items[0];
};
const filesOf = async (imageId: string) => {
  const folder = join(fleet.test.dataDir, 'images');
  const names = [...(await readdir(folder)), ...(await readdir(join(folder, 'incoming')))];
  return names.filter((name) => name.startsWith(imageId));
};

describe('a VM that is published', () => {
  proveOperation<World, WorkerServices>({
    definition: definitionOf('vm.publish'),
    arrange: () => aVm(false),
    request: async (world) => (await publish(world)).operation.id,
    services: () => fleet.test.cp,
    expectDone: async (world) => {
      const image = await imageOf(world);
      expect(image).toMatchObject({ state: 'available', description: 'with all in it', failure: null });
      expect(image?.source).toMatchObject({ url: null, format: 'qcow2', vm: { id: world.vmId } });
      expect(await filesOf(String(image?.id))).toEqual([`${image?.id}.qcow2`]);
      expect(await vmOf(world)).toMatchObject({ state: 'stopped', failure: null });
    },
    expectCleanSlate: async (world) => {
      const image = await imageOf(world);
      expect(image).toMatchObject({ state: 'failed', sha256: null });
      expect(await filesOf(String(image?.id))).toEqual([]);
      expect(await vmOf(world)).toMatchObject({ state: 'stopped' });
    },
    close: async () => undefined,
    dyingLeaseMs: 3_000,
  });

  it('is another VM’s image: that starts from it', async () => {
    const world = await aVm(false);
    const { operation, resourceId } = await publish(world);
    expect(operation).toMatchObject({ kind: 'vm.publish', resourceKind: 'image', state: 'queued' });
    expect(await vmOf(world)).toMatchObject({ state: 'updating' });
    expect(await work(operation.id, 'vm.publish')).toEqual({ state: 'succeeded', error: null });
    const image = await getImage(fleet.test.cp, fleet.test.admin, resourceId as ImageId);
    expect(image.source).toMatchObject({ sha256: image.sha256, vm: { name: (await vmOf(world)).name } });
    const request = { ...vmRequest(fleet, { projectId: world.projectId }), imageId: image.id };
    const second = await createVm(fleet.test.cp, fleet.test.admin, request);
    expect(await work(second.operation.id, 'vm.create')).toEqual({ state: 'succeeded', error: null });
  });

  it('is refused while it runs, with what to do, and nothing is made', async () => {
    const world = await aVm(true);
    const refused = { code: 'conflict_state', message: expect.stringContaining('stop it first') };
    await expect(publish(world)).rejects.toMatchObject(refused);
    expect(await imageOf(world)).toBeUndefined();
    const { operation } = await requestVm(fleet.test.cp, fleet.test.admin, world.vmId, 'stop', { graceMs: 0 });
    await work(operation.id, 'vm.stop');
    const plan = await planVmPublish(fleet.test.cp, fleet.test.admin, world.vmId, { name: world.imageName });
    expect(plan).toMatchObject({ imageName: world.imageName, steps: ['publish'] });
    expect(plan.warnings.join()).toContain('machine id');
    expect(await imageOf(world)).toBeUndefined();
  });

  it('is published once under a key, and not under a name that is taken', async () => {
    const world = await aVm(false);
    const idempotency = { key: aName('key'), requestSha256: Buffer.alloc(32) };
    const first = await publish(world, { idempotency });
    expect((await publish(world, { idempotency })).resourceId).toBe(first.resourceId);
    expect(await work(first.operation.id, 'vm.publish')).toEqual({ state: 'succeeded', error: null });
    await expect(publish(world)).rejects.toMatchObject({ code: 'already_exists' });
    expect(await vmOf(world)).toMatchObject({ state: 'stopped' });
  });

  it('takes no content from elsewhere, also when it failed', async () => {
    const world = await aVm(false);
    const { operation, resourceId } = await publish(world);
    const { database } = fleet.test.cp;
    const refusal = new DomainError('image_invalid', 'what came is no image');
    const images = { receive: () => Promise.reject(refusal), remove: (id: string) => fleet.test.cp.images.remove(id) };
    const services = { ...fleet.test.cp, images } as unknown as WorkerServices;
    const worker = makeWorker(database, definitionOf('vm.publish'), services);
    const end = await workToEnd(database, worker, operation.id);
    worker.die();
    expect(end).toMatchObject({ state: 'failed', error: { code: 'image_invalid' } });
    const upload = uploadImageContent(
      fleet.test.cp,
      fleet.test.admin,
      resourceId as ImageId,
      Readable.from([Buffer.alloc(1)]),
      1,
    );
    await expect(upload).rejects.toMatchObject({
      code: 'conflict_state',
      message: expect.stringContaining('made of the VM'),
    });
  });
});
