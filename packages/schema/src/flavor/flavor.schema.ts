import { z } from 'zod';
import { FlavorId } from '../ids.js';
import { ResourceName } from '../names.js';
import { PageQuery } from '../page.schema.js';
import { DiskBytes, MemoryBytes, VcpuCount } from '../vm/vm.schema.js';

export const CreateFlavorRequest = z
  .strictObject({ name: ResourceName, vcpuCount: VcpuCount, memoryBytes: MemoryBytes, rootDiskBytes: DiskBytes })
  .meta({ id: 'CreateFlavorRequest' });
export type CreateFlavorRequest = z.infer<typeof CreateFlavorRequest>;

export const Flavor = CreateFlavorRequest.extend({ id: FlavorId, createdAt: z.iso.datetime() })
  .strip()
  .meta({ id: 'Flavor', description: 'A size of VM' });
export type Flavor = z.infer<typeof Flavor>;

export const ListFlavorsQuery = PageQuery.extend({ name: ResourceName.optional() });
export type ListFlavorsQuery = z.infer<typeof ListFlavorsQuery>;
