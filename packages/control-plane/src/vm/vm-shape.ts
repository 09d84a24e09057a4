import type { Amounts } from '@kvorum/scheduler';
import {
  type Accelerator,
  BalloonPolicy,
  dedicatedCpuCount,
  GIB,
  MIB,
  ordinaryMemoryBytes,
  VCPU_OVERCOMMIT_RATIO,
  VmHardware,
} from '@kvorum/schema';
import { z } from 'zod';
import { CloudInitRecord } from './cloud-init.js';

/** What of a VM makes its machine, and what an update may change of it; see vm-field-effects.ts. */
export const VmShape = z.object({
  vcpuCount: z.int(),
  memoryBytes: z.int(),
  balloon: BalloonPolicy.nullable(),
  hardware: VmHardware,
  /** What was stored before there was any has none. */
  cloudInit: CloudInitRecord.nullable().default(null),
});
export type VmShape = z.infer<typeof VmShape>;

/** What a VM takes of its project's quota, and the shapes by which it takes room on its host. */
export interface Held {
  readonly vcpuCount: number;
  readonly memoryBytes: number;
  /** Of disks in the folder of its host, by id. What lies on pools is counted with its volume. */
  readonly volumes: ReadonlyMap<string, number>;
  readonly shapes: readonly VmShape[];
}

export interface HeldDifference {
  readonly vcpuCount: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

/**
 * What a VM holds that is one of these shapes now and may become another at any start: the larger of each. So growing is
 * paid for before it happens, and shrinking gives back once nothing can need it any more.
 */
export function heldBy(rootVolumeId: string, given: readonly (VmShape | null)[]): Held {
  const shapes = given.filter((shape) => shape !== null);
  const volumes = new Map<string, number>();
  const hold = (id: string | null, bytes: number | null): void => {
    if (id !== null && bytes !== null) volumes.set(id, Math.max(bytes, volumes.get(id) ?? 0));
  };
  for (const { hardware } of shapes) {
    const { rootDisk, dataDisks } = hardware.devices;
    if (rootDisk.poolId === null) hold(rootVolumeId, rootDisk.sizeBytes);
    for (const { id, sizeBytes } of dataDisks.filter(({ poolId }) => poolId === null)) hold(id, sizeBytes);
  }
  return {
    vcpuCount: Math.max(...shapes.map(({ vcpuCount }) => vcpuCount)),
    memoryBytes: Math.max(...shapes.map(({ memoryBytes }) => memoryBytes)),
    volumes,
    shapes,
  };
}

const diskBytesOf = ({ volumes }: Held): number => [...volumes.values()].reduce((sum, bytes) => sum + bytes, 0);

export const heldDifference = (from: Held, to: Held): HeldDifference => ({
  vcpuCount: to.vcpuCount - from.vcpuCount,
  memoryBytes: to.memoryBytes - from.memoryBytes,
  diskBytes: diskBytesOf(to) - diskBytesOf(from),
});

/** What the VM takes of a host with so many threads per core, the hypervisor's own needs included: amountsOfVm for many. */
export function roomFor(held: Held, accelerator: Accelerator | null, threadsPerCore: number): Amounts {
  const most = (of: (shape: VmShape) => number): number => Math.max(...held.shapes.map(of));
  const inPages = (bytes: number) => (shape: VmShape) =>
    shape.hardware.memory.hugePageBytes === bytes ? shape.memoryBytes : 0;
  const ownCpus = (shape: VmShape): number => dedicatedCpuCount(shape, threadsPerCore);
  return {
    vcpuCount: most((shape) => (ownCpus(shape) === 0 ? shape.vcpuCount : ownCpus(shape) * VCPU_OVERCOMMIT_RATIO)),
    memoryBytes: most((shape) => ordinaryMemoryBytes({ ...shape, accelerator })),
    diskBytes: diskBytesOf(held),
    dedicatedCpuCount: most(ownCpus),
    hugePages2MibBytes: most(inPages(2 * MIB)),
    hugePages1GibBytes: most(inPages(GIB)),
  };
}
