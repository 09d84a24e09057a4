import { createHash, randomBytes } from 'node:crypto';
import { DomainError, HOTPLUG_SLOT_COUNT, type NicId, newId, type VmHardware, type VolumeId } from '@kvorum/schema';

type Devices = VmHardware['devices'];

/** What of a device list the site gives: ids, slots, addresses. `known` are all devices that the VM has, or is to have. */
export interface AssignQuestion {
  readonly wanted: Devices;
  readonly known: readonly Devices[];
  readonly siteId: string;
  /** Ids of volumes that are to become disks of the VM. */
  readonly attachedIds?: ReadonlySet<string>;
}

const FIELD = 'body.hardware.devices';

/**
 * Gives new devices an id, a slot and an address. Throws invalid_request that names the field: for a device that the VM has
 * not, a disk that would shrink, a slot that another device has.
 */
export function assignDevices({ wanted, known, siteId, attachedIds }: AssignQuestion): Devices {
  const disks = known.flatMap(({ dataDisks }) => dataDisks);
  const nics = known.flatMap((devices) => devices.nics);
  const taken = new Set([...disks, ...nics].map(({ slot }) => slot));
  const rootBytes = Math.max(0, ...known.map(({ rootDisk }) => rootDisk.sizeBytes ?? 0));
  refuseShrinking(wanted.rootDisk.sizeBytes ?? rootBytes, rootBytes, `${FIELD}.rootDisk.sizeBytes`);
  return {
    ...wanted,
    rootDisk: {
      ...wanted.rootDisk,
      sizeBytes: wanted.rootDisk.sizeBytes ?? (rootBytes || null),
      poolId: wanted.rootDisk.poolId ?? known[0]?.rootDisk.poolId ?? null,
    },
    dataDisks: wanted.dataDisks.map((disk, index) => {
      const field = `${FIELD}.dataDisks[${index}]`;
      if (disk.id === null) return { ...disk, id: newId<VolumeId>(), slot: freeSlot(disk.slot, taken, field) };
      const same = disks.filter(({ id }) => id === disk.id);
      if (same.length === 0 && attachedIds?.has(disk.id) === true) {
        return { ...disk, slot: freeSlot(disk.slot, taken, field) };
      }
      const before = requireKnown(same, `${field}.id`, 'disk');
      refuseShrinking(disk.sizeBytes, Math.max(...same.map(({ sizeBytes }) => sizeBytes)), `${field}.sizeBytes`);
      const slot = keptSlot(disk.slot, before.slot, `${field}.slot`);
      return { ...disk, slot, poolId: disk.poolId ?? before.poolId };
    }),
    nics: wanted.nics.map((nic, index) => {
      const field = `${FIELD}.nics[${index}]`;
      const macAddress = nic.macAddress ?? nics.find(({ id }) => id !== null && id === nic.id)?.macAddress;
      if (nic.id === null) {
        const slot = freeSlot(nic.slot, taken, field);
        return { ...nic, id: newId<NicId>(), slot, macAddress: macAddress ?? newMacAddress(siteId) };
      }
      const before = requireKnown(
        nics.filter(({ id }) => id === nic.id),
        `${field}.id`,
        'network card',
      );
      return { ...nic, macAddress: macAddress ?? null, slot: keptSlot(nic.slot, before.slot, `${field}.slot`) };
    }),
  };
}

/** 02: unicast and locally administered (IEEE 802c). */
const LOCAL_UNICAST = 0x02;
const SITE_BYTES = 2;
const CARD_BYTES = 3;

/**
 * The site's range is 02 and two bytes that its id gives, so that two sites on one network seldom meet; within it 2^24
 * addresses are drawn from, and the table of addresses refuses one that is taken.
 */
export function newMacAddress(siteId: string): string {
  const site = createHash('sha256').update(siteId).digest().subarray(0, SITE_BYTES);
  const bytes = Buffer.concat([Buffer.from([LOCAL_UNICAST]), site, randomBytes(CARD_BYTES)]);
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

export const refusalOf = (field: string, message: string): DomainError =>
  new DomainError('invalid_request', `${field} ${message}`, { details: { fields: [{ field, message }] } });

function requireKnown<Device>(same: readonly Device[], field: string, what: string): Device {
  const [device] = same;
  if (device === undefined) throw refusalOf(field, `is no ${what} of this VM; leave the id out to add one`);
  return device;
}

function refuseShrinking(bytes: number, before: number, field: string): void {
  if (bytes >= before) return;
  throw refusalOf(field, `is below the ${before} bytes that the disk has: a disk cannot be made smaller; add another`);
}

function freeSlot(asked: number | null, taken: Set<number | null>, field: string): number {
  if (asked !== null) throw refusalOf(`${field}.slot`, 'is given by the site; leave it out');
  for (let slot = 1; slot <= HOTPLUG_SLOT_COUNT; slot += 1) {
    if (taken.has(slot)) continue;
    taken.add(slot);
    return slot;
  }
  throw refusalOf(
    field,
    `finds none of the ${HOTPLUG_SLOT_COUNT} slots free; those of removed devices are free after the next start`,
  );
}

function keptSlot(asked: number | null, slot: number | null, field: string): number | null {
  if (asked !== null && asked !== slot) throw refusalOf(field, `is ${slot} for the life of the device`);
  return slot;
}
