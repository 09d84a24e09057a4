import { z } from 'zod';
import { HostId, LeftoverId, StoragePoolId } from '../ids.js';
import { ResourceName } from '../names.js';
import { PageQuery } from '../page.schema.js';

export const LeftoverKind = z.enum(['disks', 'disk', 'firmware', 'vm', 'template', 'volume']).meta({
  id: 'LeftoverKind',
  description:
    'vm, template: the host has it and the site has not; volume: data on a storage pool that no volume names',
});
export type LeftoverKind = z.infer<typeof LeftoverKind>;

/** Something on a host that belongs to nobody. */
export const Leftover = z
  .object({
    id: LeftoverId,
    host: z.object({ id: HostId, name: ResourceName }),
    kind: LeftoverKind,
    pool: z
      .object({ id: StoragePoolId, name: z.string() })
      .nullable()
      .meta({ description: 'Of a volume the storage pool that it lies on; the host is the last that has told of it' }),
    isQuarantined: z.boolean().meta({ description: 'It was moved aside on the host, where a DELETE removes it' }),
    name: z.string().meta({
      description:
        'Of its folder below quarantine/ in the state folder of the host; of a VM or template its id; of a volume the file below quarantine/ on the pool, or the image in the trash of Ceph',
    }),
    ownerId: z.uuid().nullable().meta({
      description: 'Id of the VM whose it was, of the template, or of the volume; null: its name does not say',
    }),
    sizeBytes: z
      .int()
      .meta({ description: 'What it takes of the disk of the host or pool; in Ceph what it can hold at most' }),
    reason: z.string().meta({ description: 'Why it counts as a leftover, and what can be done' }),
    firstSeenAt: z.iso.datetime(),
    lastSeenAt: z.iso.datetime(),
  })
  .meta({ id: 'Leftover' });
export type Leftover = z.infer<typeof Leftover>;

export const ListLeftoversQuery = PageQuery.extend({ hostId: HostId.optional() });
export type ListLeftoversQuery = z.infer<typeof ListLeftoversQuery>;

/** What a sweep of one host came to. */
export const HostSweep = z
  .object({
    leftovers: z.array(Leftover).meta({ description: 'All that is there now' }),
    removed: z
      .array(z.object({ kind: z.string(), ownerId: z.string(), sizeBytes: z.int() }))
      .meta({ description: 'What carried no data and was removed now: control groups, run folders, idle images' }),
    faults: z.array(z.string()).meta({ description: 'What could not be looked at' }),
  })
  .meta({ id: 'HostSweep' });
export type HostSweep = z.infer<typeof HostSweep>;
