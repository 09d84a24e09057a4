import { MIB } from '@kvorum/schema';
import type { LaunchSpec } from '../../driver.js';
import {
  driveId,
  mediumNode,
  netdevId,
  planDisk,
  planHotMemory,
  planImageDisk,
  planMedium,
  planNic,
  pluggedDisks,
  pluggedNics,
  type QemuObject,
  slotDevices,
  throttleGroup,
} from '../devices/device-plan.js';
import { options } from '../option-string.js';
import type { Arrival } from '../templates/arrival.js';
import { keyArguments } from './key-arguments.js';

/** How the process names files, and what it is given open. */
export interface DeviceFiles {
  /** Its taps, by the id of the network card. */
  readonly tapFds: Readonly<Record<string, number>>;
  /** Its guest is one that ran before, without network cards: they are plugged in once it has arrived. Null: it boots. */
  readonly arrival: Arrival | null;
  /** Data disks whose file system takes no O_DIRECT, by id, although that of the root disk does, or the other way round. */
  readonly cacheOf?: Readonly<Record<string, 'direct' | 'page-cache'>>;
  pathOf(path: string): string;
}

/** Everything that can be plugged in while the VM runs, and the room for it; see device-plan.ts. */
export function deviceArguments(launch: LaunchSpec, isDirect: boolean, files: DeviceFiles): string[] {
  const { pathOf, tapFds, arrival, cacheOf = {} } = files;
  const { devices } = launch.hardware;
  const { disks = {}, bases = {}, images = {}, media = {}, taps = {} } = launch.attachments ?? {};
  const plans = pluggedDisks(devices).map((disk) => {
    const image = images[disk.id];
    if (image !== undefined) return planImageDisk(disk, image);
    const takesDirect = (cacheOf[disk.id] ?? (isDirect ? 'direct' : 'page-cache')) === 'direct';
    return planDisk(disk, pathOf(disks[disk.id] ?? ''), takesDirect, (bases[disk.id] ?? []).map(pathOf));
  });
  const cards =
    arrival === null ? pluggedNics(devices).map((nic) => planNic(nic, taps[nic.id]?.mtu ?? null).device) : [];
  const hotMemory = planHotMemory(launch.memoryBytes, devices.maxMemoryBytes);
  const digests = new Set(devices.cdroms.map(({ imageSha256 }) => imageSha256).filter((sha256) => sha256 !== null));
  return [
    ...device(slotDevices()),
    ...plans.flatMap((plan) => [
      ...argument('-object', throttleGroup(plan.limitsId, plan.limits)),
      ...(plan.key === null ? [] : keyArguments(launch, plan.diskId, pathOf)),
      ...argument('-blockdev', plan.blockdev),
      ...argument('-device', plan.device),
    ]),
    // Opened by the agent: QEMU reads and writes frames of these taps, and can open no other.
    ...Object.entries(tapFds).flatMap(([nicId, fd]) => ['-netdev', options('tap', { id: netdevId(nicId), fd })]),
    ...device(cards),
    ...[...digests].flatMap((sha256) => argument('-blockdev', planMedium(sha256, pathOf(media[sha256] ?? '')))),
    ...(devices.cdroms.length === 0 ? [] : device([{ driver: 'virtio-scsi-pci', id: 'scsi' }])),
    ...device(
      devices.cdroms.map(({ name, imageSha256 }) => ({
        driver: 'scsi-cd',
        id: driveId(name),
        bus: 'scsi.0',
        ...(imageSha256 === null ? {} : { drive: mediumNode(imageSha256) }),
      })),
    ),
    ...(hotMemory === null ? [] : [...argument('-object', hotMemory[0]), ...argument('-device', hotMemory[1])]),
  ];
}

/** virtio, as cloud kernels have no driver for a real drive. Not to be booted from (`-boot strict=on`), and never written. */
export function seedArguments({ seedPath }: LaunchSpec, { pathOf, arrival }: DeviceFiles): string[] {
  if (seedPath == null) return [];
  // Of a guest that never runs in this process: it reads nothing, and the file is another VM's.
  const isRead = arrival?.role !== 'maker';
  const file = isRead
    ? { driver: 'file', filename: pathOf(seedPath), 'read-only': true }
    : { driver: 'null-co', size: MIB };
  const node = { 'node-name': 'seed', driver: 'raw', 'read-only': true, file };
  return [
    ...['-blockdev', JSON.stringify(node)],
    ...['-device', options('virtio-blk-pci', { id: 'seed-disk', drive: 'seed', serial: 'seed' })],
  ];
}

const argument = (name: string, object: QemuObject): string[] => [name, JSON.stringify(object)];
const device = (objects: readonly QemuObject[]): string[] => objects.flatMap((object) => argument('-device', object));
