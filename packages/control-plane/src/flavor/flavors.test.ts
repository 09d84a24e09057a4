import { GIB, MIB } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aFlavor, aHost, aName, anImage, aProject, aVm, VM_SIZE, vmRequest } from '../../test/world/fleet-builder.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import { createVm } from '../vm/create-vm.js';
import { deleteFlavor } from './delete-flavor.js';
import { createFlavor, getFlavor, listFlavors } from './flavors.js';

let test: TestControlPlane;
beforeAll(async () => {
  test = await openTestControlPlane();
});
afterAll(() => test.close());

describe('a flavor', () => {
  it('is made, found and listed by every token', async () => {
    const made = await createFlavor(test.cp, test.admin, {
      name: 'small',
      vcpuCount: 2,
      memoryBytes: GIB,
      rootDiskBytes: MIB,
    });
    const member = await test.actor('viewer', (await aProject(test)).id);
    expect(await getFlavor(test.cp, member, made.id)).toEqual(made);
    expect((await listFlavors(test.cp, member, { limit: 10, name: 'small' })).items).toEqual([made]);
    await expect(createFlavor(test.cp, member, { ...VM_SIZE, name: aName('flavor') })).rejects.toMatchObject({
      code: 'forbidden',
    });
  });

  it('has a name of its own until it is deleted', async () => {
    const { id, name } = await aFlavor(test);
    await expect(createFlavor(test.cp, test.admin, { ...VM_SIZE, name })).rejects.toMatchObject({
      code: 'already_exists',
    });
    await deleteFlavor(test.cp, test.admin, id);
    expect((await createFlavor(test.cp, test.admin, { ...VM_SIZE, name })).name).toBe(name);
  });

  it('stays while a VM has it, and goes when only deleted ones had', async () => {
    await aHost(test);
    const flavor = await aFlavor(test);
    const { vmId } = await aVm(test, { flavor, imageId: await anImage(test) });
    await expect(deleteFlavor(test.cp, test.admin, flavor.id)).rejects.toMatchObject({
      code: 'in_use',
      details: { vmCount: 1 },
    });
    await test.sql('UPDATE vms SET deleted_at = now() WHERE id = $1', [vmId]);
    await deleteFlavor(test.cp, test.admin, flavor.id);
    await expect(getFlavor(test.cp, test.admin, flavor.id)).rejects.toMatchObject({ code: 'not_found' });
    await expect(deleteFlavor(test.cp, test.admin, flavor.id)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('is either deleted or used, when both are asked for at the same time', async () => {
    await aHost(test);
    const imageId = await anImage(test);
    for (let round = 0; round < 10; round += 1) {
      const flavor = await aFlavor(test);
      const [created, deleted] = await Promise.allSettled([
        createVm(test.cp, test.admin, vmRequest({ flavor, imageId })),
        deleteFlavor(test.cp, test.admin, flavor.id),
      ]);
      expect([created.status, deleted.status].sort()).toEqual(['fulfilled', 'rejected']);
    }
  });
});
