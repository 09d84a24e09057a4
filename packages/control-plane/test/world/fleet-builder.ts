import {
  type CreateVmRequest,
  type Flavor,
  GIB,
  type Host,
  type ImageId,
  MIB,
  newId,
  type OperationId,
  ordinaryMemoryBytes,
  PLAIN_HARDWARE,
  type Project,
  type Quota,
  type VmId,
} from '@kvorum/schema';
import { createFlavor } from '../../src/flavor/flavors.js';
import { createProject } from '../../src/project/projects.js';
import { createVm } from '../../src/vm/create-vm.js';
import type { TestControlPlane } from './test-control-plane.js';

/** What one VM of `aFlavor` takes. */
export const VM_SIZE = { vcpuCount: 1, memoryBytes: 256 * MIB, rootDiskBytes: GIB };

let counter = 0;
export const aName = (prefix: string): string => {
  counter += 1;
  return `${prefix}-${counter}`;
};

export interface HostOptions {
  /** Room for so many VMs of VM_SIZE. */
  readonly vmCount?: number;
  readonly state?: Host['state'];
  readonly connectivity?: Host['connectivity'];
  readonly accelerator?: 'kvm' | 'tcg' | null;
  readonly labels?: Readonly<Record<string, string>>;
}

/** A host that reports by rows alone. */
export async function aHost(test: TestControlPlane, options: HostOptions = {}): Promise<string> {
  const { vmCount = 100, state = 'active', connectivity = 'connected', accelerator = 'tcg', labels = {} } = options;
  const id = newId();
  await test.sql(
    `INSERT INTO hosts (id, name, address, state, connectivity, accelerator, capacity_vcpu_count, capacity_memory_bytes,
                        capacity_disk_bytes, labels, last_report_at)
     VALUES ($1, $2, '127.0.0.1:1', $3, $4, $5, $6, $7, $8, $9, now())`,
    [
      id,
      aName('host'),
      state,
      connectivity,
      accelerator,
      vmCount * VM_SIZE.vcpuCount,
      vmCount * ordinaryMemoryBytes({ ...VM_SIZE, accelerator: null, hardware: PLAIN_HARDWARE }),
      vmCount * VM_SIZE.rootDiskBytes,
      JSON.stringify(labels),
    ],
  );
  return id;
}

export const aFlavor = (test: TestControlPlane, size: Partial<typeof VM_SIZE> = {}): Promise<Flavor> =>
  createFlavor(test.cp, test.admin, { name: aName('flavor'), ...VM_SIZE, ...size });

export const aProject = (test: TestControlPlane, quota: Partial<Quota> = {}): Promise<Project> =>
  createProject(test.cp, test.admin, {
    name: aName('project'),
    quota: { vmCount: 1000, vcpuCount: 1000, memoryBytes: 1000 * GIB, diskBytes: 1000 * GIB, ...quota },
  });

/** An image with its row alone; nobody reads the content. */
export async function anImage(
  test: TestControlPlane,
  options: { project?: Project; isPublic?: boolean; state?: string; virtualSizeBytes?: number } = {},
): Promise<ImageId> {
  const id = newId<ImageId>();
  const { isPublic = true, state = 'available', virtualSizeBytes = MIB } = options;
  await test.sql(
    `INSERT INTO images (id, project_id, name, is_public, state, sha256, size_bytes, virtual_size_bytes)
     SELECT $1, coalesce($2, (SELECT id FROM projects WHERE name = 'default')), $3, $4, $5, $6, 65536, $7`,
    [id, options.project?.id ?? null, aName('image'), isPublic, state, '0'.repeat(64), virtualSizeBytes],
  );
  return id;
}

/** What a request for a VM needs: a flavor and an image. */
export interface Ingredients {
  readonly flavor: Flavor;
  readonly imageId: ImageId;
}

export const ingredients = async (test: TestControlPlane): Promise<Ingredients> => ({
  flavor: await aFlavor(test),
  imageId: await anImage(test),
});

export const vmRequest = (from: Ingredients, changes: Partial<CreateVmRequest> = {}): CreateVmRequest => ({
  name: aName('vm'),
  flavorId: from.flavor.id,
  imageId: from.imageId,
  hardware: PLAIN_HARDWARE,
  start: true,
  highAvailability: false,
  labels: {},
  ...changes,
});

/** A VM in a given state, as if its operations had ended well. */
export async function aVm(
  test: TestControlPlane,
  from: Ingredients,
  state = 'running',
  changes: Partial<CreateVmRequest> = {},
): Promise<{ vmId: VmId; operationId: OperationId }> {
  const accepted = await createVm(test.cp, test.admin, vmRequest(from, changes));
  await test.sql(`UPDATE operations SET state = 'succeeded' WHERE id = $1`, [accepted.operation.id]);
  await test.sql(
    `UPDATE vms SET state = $2, settled_generation = generation, updated_at = now() - interval '1 hour' WHERE id = $1`,
    [accepted.resourceId, state],
  );
  return { vmId: accepted.resourceId as VmId, operationId: accepted.operation.id };
}
