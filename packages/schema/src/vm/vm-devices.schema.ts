import { z } from 'zod';
import { ImageId, NetworkId, NicId, PortId, SecurityGroupId, StoragePoolId, VolumeId } from '../ids.js';
import {
  CDROM_COUNT_MAX,
  DISK_BYTES_PER_SECOND_MAX,
  DISK_IOPS_MAX,
  HOTPLUG_SLOT_COUNT,
  MEMORY_BYTES_MAX,
  SECURITY_GROUPS_PER_PORT_MAX,
  VCPU_COUNT_MAX,
} from '../limits.js';
import { NetworkKind } from '../network/network.schema.js';
import { DiskBytes, MemoryBytes, VcpuCount } from './vm-size.schema.js';

/** Null: not limited. Reading and writing together. */
export const DiskThrottle = z
  .strictObject({
    iops: z.int().min(1).max(DISK_IOPS_MAX).nullable().default(null),
    bytesPerSecond: z.int().min(1).max(DISK_BYTES_PER_SECOND_MAX).nullable().default(null),
  })
  .meta({ id: 'DiskThrottle' });
export type DiskThrottle = z.infer<typeof DiskThrottle>;

/** Where a device is plugged in: the same at each start, so that the guest finds it under the same address. */
const Slot = z
  .int()
  .min(1)
  .max(HOTPLUG_SLOT_COUNT)
  .nullable()
  .default(null)
  .meta({ description: 'Given by the site; leave it out for a new device' });

/** What virtio-blk shows a guest is 20 bytes long (virtio 1.2, 5.2.6.1: VIRTIO_BLK_ID_BYTES). */
const Serial = z.string().regex(/^[A-Za-z0-9_-]{1,20}$/, { error: 'must be 1 to 20 letters, digits, - or _' });

/** Null: in the folder of the VM's host, for the life of the VM. */
const PoolOfDisk = StoragePoolId.nullable()
  .default(null)
  .meta({ description: 'The storage pool that the disk lies on; null: in the folder of the host, with the VM' });

export const DataDisk = z
  .strictObject({
    id: VolumeId.nullable().default(null).meta({
      description:
        'Given by the site; null or left out: a new, empty disk. The id of a volume that no VM has attaches it',
    }),
    sizeBytes: DiskBytes,
    poolId: PoolOfDisk,
    throttle: DiskThrottle.prefault({}),
    cache: z.enum(['auto', 'direct', 'page-cache']).default('auto').meta({
      description: 'auto: past the page cache of the host where its file system can do that',
    }),
    discard: z.boolean().default(true).meta({ description: 'What the guest trims is given back to the host' }),
    serial: Serial.nullable().default(null).meta({ description: "Default: the first 20 characters of the disk's id" }),
    slot: Slot,
  })
  .meta({ id: 'DataDisk' });
export type DataDisk = z.infer<typeof DataDisk>;

/** A drive keeps its name; what lies in it comes and goes. */
export const Cdrom = z
  .strictObject({
    name: z.string().regex(/^[a-z][a-z0-9-]{0,15}$/, { error: 'must be like cdrom-1, at most 16 characters' }),
    imageId: ImageId.nullable().default(null).meta({ description: 'An image of the catalogue; null: empty' }),
    /** Digest of that image, by which the host finds it. Filled in by the control plane. */
    imageSha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .nullable()
      .default(null)
      .meta({ description: 'Given by the site' }),
  })
  .meta({ id: 'Cdrom' });
export type Cdrom = z.infer<typeof Cdrom>;

/**
 * What a card is connected to. On a network it has a port: one that is there already, or a new one that goes with the card. The rest
 * is given by the site, so that whoever reads the shape alone knows what the card needs of its host.
 */
export const NicBackend = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('isolated') }),
    z
      .strictObject({
        kind: z.literal('network'),
        networkId: NetworkId.nullable().default(null).meta({ description: 'The card gets a new port there' }),
        portId: PortId.nullable()
          .default(null)
          .meta({ description: 'A port that is for no VM yet; instead of networkId' }),
        securityGroupIds: z
          .array(SecurityGroupId)
          .max(SECURITY_GROUPS_PER_PORT_MAX)
          .default([])
          .meta({ description: 'Of the new port. Those of a port that is there are changed there' }),
        networkKind: NetworkKind.nullable().default(null).meta({ description: 'Given by the site' }),
        ownsPort: z
          .boolean()
          .default(false)
          .meta({ description: 'Given by the site: the port was made for the card, and goes with it' }),
      })
      .refine(({ networkId, portId }) => networkId !== null || portId !== null, {
        path: ['networkId'],
        error: 'is needed, or portId',
      }),
  ])
  .meta({ id: 'NicBackend', description: 'isolated: a card without a network' });
export type NicBackend = z.infer<typeof NicBackend>;

/** Unicast (IEEE 802-2014, 8.2.2: the lowest bit of the first octet is 0), in lower case. */
export const MacAddress = z.string().regex(/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/, {
  error: 'must be a unicast MAC address in lower case, such as 02:1a:2b:3c:4d:5e',
});

export const Nic = z
  .strictObject({
    id: NicId.nullable().default(null).meta({ description: 'Given by the site; null or left out: a new card' }),
    macAddress: MacAddress.nullable()
      .default(null)
      .meta({ description: "Default: one of the site's own, locally administered range" }),
    backend: NicBackend.default({ kind: 'isolated' }),
    slot: Slot,
  })
  .meta({ id: 'Nic' });
export type Nic = z.infer<typeof Nic>;

/** Disks beside the root disk, network cards, drives with removable media, and room to grow. Part of VmHardware. */
export const VmDevices = z
  .strictObject({
    maxVcpuCount: VcpuCount.nullable()
      .default(null)
      .meta({
        description: `Up to so many vCPUs can be added while it runs (at most ${VCPU_COUNT_MAX}); null: none`,
      }),
    maxMemoryBytes: MemoryBytes.nullable()
      .default(null)
      .meta({
        description: `Up to so much memory can be added while it runs (at most ${MEMORY_BYTES_MAX}); null: none`,
      }),
    rootDisk: z
      .strictObject({
        sizeBytes: DiskBytes.nullable().default(null).meta({ description: 'Null: as it was created' }),
        poolId: PoolOfDisk,
        throttle: DiskThrottle.prefault({}),
      })
      .prefault({}),
    dataDisks: z.array(DataDisk).max(HOTPLUG_SLOT_COUNT).default([]),
    cdroms: z.array(Cdrom).max(CDROM_COUNT_MAX).default([]),
    nics: z.array(Nic).max(HOTPLUG_SLOT_COUNT).default([]),
  })
  .superRefine(({ dataDisks, cdroms, nics }, context) => {
    const refuse = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
    if (dataDisks.length + nics.length > HOTPLUG_SLOT_COUNT) {
      refuse(['dataDisks'], `a VM has ${HOTPLUG_SLOT_COUNT} slots for data disks and network cards together`);
    }
    const taken: [part: string, name: string, values: readonly (string | number | null)[]][] = [
      ['dataDisks', 'id', dataDisks.map(({ id }) => id)],
      ['dataDisks', 'serial', dataDisks.map(({ serial }) => serial)],
      ['cdroms', 'name', cdroms.map(({ name }) => name)],
      ['nics', 'id', nics.map(({ id }) => id)],
      ['nics', 'macAddress', nics.map(({ macAddress }) => macAddress)],
    ];
    for (const [part, name, values] of taken) {
      values.forEach((value, index) => {
        if (value !== null && values.indexOf(value) < index) refuse([part, index, name], `is there twice: ${value}`);
      });
    }
    const slots = [...dataDisks, ...nics].map(({ slot }) => slot).filter((slot) => slot !== null);
    if (new Set(slots).size < slots.length) refuse(['dataDisks'], 'two devices are in one slot');
  })
  .meta({ id: 'VmDevices' });
export type VmDevices = z.infer<typeof VmDevices>;

/** A disk or card as the layers below the control plane get it: with the id and the slot that the site gave it. */
export type Plugged<Device extends { id: string | null; slot: number | null }> = Device & {
  readonly id: NonNullable<Device['id']>;
  readonly slot: number;
};

export const isPlugged = <Device extends { id: string | null; slot: number | null }>(
  device: Device,
): device is Plugged<Device> => device.id !== null && device.slot !== null;
