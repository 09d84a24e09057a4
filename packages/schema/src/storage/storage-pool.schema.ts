import { z } from 'zod';
import { HostId, StoragePoolId } from '../ids.js';
import {
  DESCRIPTION_LENGTH_MAX,
  OVERCOMMIT_RATIO_DEFAULT,
  OVERCOMMIT_RATIO_MAX,
  TRASH_KEEP_DAYS_DEFAULT,
  TRASH_KEEP_DAYS_MAX,
} from '../limits.js';
import { ResourceName } from '../names.js';
import { PageQuery } from '../page.schema.js';

/** dir: a folder of one host; shared-dir: the same folder on several, as NFS gives; rbd: a pool of Ceph; lvm-thin: a thin pool of LVM of one host. */
export const StoragePoolDriver = z.enum(['dir', 'shared-dir', 'rbd', 'lvm-thin']).meta({ id: 'StoragePoolDriver' });
export type StoragePoolDriver = z.infer<typeof StoragePoolDriver>;

export const StoragePoolCapabilities = z
  .object({
    isShared: z.boolean().meta({ description: 'Several hosts reach the same volumes; one at a time may use a volume' }),
    hasSnapshots: z.boolean(),
    hasLinkedClones: z.boolean().meta({ description: 'A clone can share what it has not changed' }),
    isThin: z.boolean().meta({ description: 'Room is taken when it is written' }),
    growsOnline: z.boolean().meta({ description: 'A volume grows while its VM runs' }),
    hasReflink: z.boolean().meta({ description: 'A full clone takes no time and no room' }),
  })
  .meta({ id: 'StoragePoolCapabilities' });
export type StoragePoolCapabilities = z.infer<typeof StoragePoolCapabilities>;

export const StoragePool = z
  .object({
    id: StoragePoolId,
    name: ResourceName,
    driver: StoragePoolDriver,
    description: z.string(),
    capabilities: StoragePoolCapabilities,
    overcommitRatio: z
      .number()
      .meta({ description: 'Volumes and snapshots may be promised so many times what the pool holds' }),
    trashKeepDays: z.int(),
    totalBytes: z.int().nullable().meta({ description: 'Of its file system; null: no host has it open' }),
    freeBytes: z.int().nullable(),
    allocatedBytes: z.int().nullable().meta({ description: 'What its volumes take' }),
    trashedBytes: z.int().nullable().meta({ description: 'Of this, volumes in the trash' }),
    isAboveHighWater: z.boolean().meta({ description: 'So full that nothing new is made on it' }),
    reservedBytes: z
      .int()
      .meta({ description: 'Promised: sizes of all volumes and snapshots of the site, those in the trash too' }),
    reservableBytes: z.int().meta({ description: 'What more can be promised' }),
    volumeCount: z.int(),
    hosts: z
      .array(
        z.object({
          id: HostId,
          name: ResourceName,
          isConnected: z.boolean(),
          fault: z.string().nullable().meta({ description: 'Why this host cannot use it; null: it can' }),
        }),
      )
      .meta({ description: 'Whose agents were started with it' }),
    generation: z.int(),
    createdAt: z.iso.datetime(),
    updatedAt: z.iso.datetime(),
  })
  .meta({ id: 'StoragePool' });
export type StoragePool = z.infer<typeof StoragePool>;

export const UpdateStoragePoolRequest = z
  .strictObject({
    description: z
      .string()
      .max(DESCRIPTION_LENGTH_MAX)
      .regex(/^\P{C}*$/u, { error: 'must not hold control characters' })
      .optional(),
    overcommitRatio: z
      .number()
      .min(1)
      .max(OVERCOMMIT_RATIO_MAX)
      .multipleOf(0.01)
      .optional()
      .meta({ description: `Default ${OVERCOMMIT_RATIO_DEFAULT}; 1: never more than the pool holds` }),
    trashKeepDays: z
      .int()
      .min(0)
      .max(TRASH_KEEP_DAYS_MAX)
      .optional()
      .meta({ description: `Default ${TRASH_KEEP_DAYS_DEFAULT}; 0: the trash is emptied at the next round` }),
  })
  .meta({ id: 'UpdateStoragePoolRequest' });
export type UpdateStoragePoolRequest = z.infer<typeof UpdateStoragePoolRequest>;

export const ListStoragePoolsQuery = PageQuery.extend({
  name: ResourceName.optional(),
  hostId: HostId.optional().meta({ description: 'That this host reaches' }),
});
export type ListStoragePoolsQuery = z.infer<typeof ListStoragePoolsQuery>;
