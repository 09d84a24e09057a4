import type { VolumeFiles, VolumeSource } from '@kvorum/host-storage';
import type { DiskImage, DiskSpec, LaunchSpec, MachineSpec, TapOfCard } from '@kvorum/hypervisor-driver';
import { DomainError } from '@kvorum/schema';
import type { PortOnHost } from '../network/network-keeper.js';
import type { PooledFiles } from './claimed-volumes.js';
import type { VmHost } from './vm-host.js';
import { machineOf, type VmRecord, type VmSpec } from './vm-record.js';

/**
 * The machine of a VM with its files on this host; `pooled`: those of its volumes on pools. Throws `conflict_state` for a disk or
 * image that is not here.
 */
export async function machineSpecOf(host: VmHost, record: VmRecord, pooled: PooledFiles): Promise<MachineSpec> {
  const spec = specOf(record);
  const { dataDisks, cdroms, nics } = spec.hardware.devices;
  const disks: Record<string, string> = {};
  const bases: Record<string, readonly string[]> = {};
  const images: Record<string, DiskImage> = {};
  for (const { id } of dataDisks) {
    const source = pooled.get(id ?? '')?.source;
    if (id !== null && source?.kind === 'files') {
      disks[id] = source.path;
      bases[id] = source.basePaths;
      continue;
    }
    if (id !== null && source !== undefined && source.kind !== 'files') {
      images[id] = diskImageOf(source);
      continue;
    }
    if (id === null || record.volumes[id]?.isComplete !== true) {
      throw new DomainError('conflict_state', `the data disk ${id} of the VM is not on this host`);
    }
    disks[id] = host.folders.diskOf(record.vmId, id);
  }
  const media: Record<string, string> = {};
  for (const { name, imageSha256 } of cdroms) {
    if (imageSha256 === null) continue;
    const path = await host.imagePath(imageSha256);
    if (path === null) throw new DomainError('conflict_state', `the image in the drive ${name} is not on this host`);
    media[imageSha256] = path;
  }
  const { vcpuCount, memoryBytes, rootVolumeId } = spec;
  const root = pooled.get(rootVolumeId)?.source;
  return {
    vcpuCount,
    memoryBytes,
    hardware: hardwareOf(spec, pooled),
    diskPath: root?.kind === 'files' ? root.path : host.folders.diskOf(record.vmId, rootVolumeId),
    ...(root?.kind === 'files' ? { rootBases: root.basePaths } : {}),
    ...(root === undefined || root.kind === 'files' ? {} : { rootImage: diskImageOf(root) }),
    attachments: { disks, bases, images, media, taps: await tapsOf(host, nics) },
  };
}

const diskImageOf = (source: Exclude<VolumeSource, VolumeFiles>): DiskImage =>
  source.kind === 'device' ? { devicePath: source.path } : source;

/** A volume of a pool is as large as the pool says: it is grown through the pool alone. */
function hardwareOf({ hardware, rootVolumeId }: VmSpec, pooled: PooledFiles): VmSpec['hardware'] {
  const { rootDisk, dataDisks } = hardware.devices;
  const sizeOf = <Size>(id: string | null, otherwise: Size) => pooled.get(id ?? '')?.sizeBytes ?? otherwise;
  return {
    ...hardware,
    devices: {
      ...hardware.devices,
      rootDisk: { ...rootDisk, sizeBytes: sizeOf(rootVolumeId, rootDisk.sizeBytes) },
      dataDisks: dataDisks.map((disk) => ({ ...disk, sizeBytes: sizeOf(disk.id, disk.sizeBytes) })),
    },
  };
}

/** All that its process is started with, as the record says; its first start has chosen what stays. */
export async function launchSpecOf(
  host: VmHost,
  record: VmRecord,
  pooled: PooledFiles,
  isPaused: boolean,
): Promise<LaunchSpec> {
  const { vmId, epoch, machineType, vmGenerationId } = record;
  const { name, accelerator, cloudInit } = specOf(record);
  if (machineType === null || vmGenerationId === null) throw new TypeError(`VM ${vmId} has been started before`);
  return {
    ...{ vmId, name, epoch, accelerator, machineType, isPaused },
    runDir: host.folders.runDirOf(vmId),
    ...(await machineSpecOf(host, record, pooled)),
    seedPath: cloudInit === null ? null : host.folders.seedOf(vmId),
    firmware: { folder: host.folders.firmwareOf(vmId), generationId: vmGenerationId },
    placement: host.cpus.placementOf(vmId),
  };
}

type Volume = NonNullable<VmRecord['volumes'][keyof VmRecord['volumes']]>;

/** What a disk of the VM rests on. */
export function baseOf(host: VmHost, { imageSha256, templateId }: Volume): Pick<DiskSpec, 'imagePath' | 'base'> {
  if (templateId !== null) return { imagePath: host.templates.find(templateId)?.diskPath ?? '', base: 'template' };
  return { imagePath: imageSha256 === null ? null : host.folders.imageOf(imageSha256) };
}

type Nics = VmSpec['hardware']['devices']['nics'];

/** By the id of the card. */
async function tapsOf(host: VmHost, nics: Nics): Promise<Record<string, TapOfCard>> {
  const cards = await portsOfCards(host, nics);
  return Object.fromEntries(
    cards.map(({ nic, port: { interfaceName, mtu } }) => [String(nic.id), { interfaceName, mtu }]),
  );
}

/** Of the cards on networks, in order. Throws `unavailable` for a port that this host was not told of yet. */
export async function portsOfCards(
  host: Pick<VmHost, 'portOf'>,
  nics: Nics,
): Promise<{ nic: Nics[number]; port: PortOnHost }[]> {
  const cards: { nic: Nics[number]; port: PortOnHost }[] = [];
  for (const nic of nics) {
    const { backend } = nic;
    if (backend.kind !== 'network' || nic.id === null || backend.portId === null) continue;
    const port = await host.portOf(backend.portId);
    if (port === null) {
      throw new DomainError('unavailable', `the port ${backend.portId} of a network card is not on this host yet`);
    }
    cards.push({ nic, port });
  }
  return cards;
}

/** The sizes that the disks of a VM are to have, by the ids of those that are on this host. */
function wantedSizes(record: VmRecord): Map<string, number> {
  const { hardware, rootVolumeId } = specOf(record);
  const { rootDisk, dataDisks } = hardware.devices;
  const wanted = [{ id: rootVolumeId as string | null, sizeBytes: rootDisk.sizeBytes }, ...dataDisks];
  return new Map(
    wanted.flatMap(({ id, sizeBytes }) =>
      id !== null && sizeBytes !== null && id in record.volumes ? [[id, sizeBytes]] : [],
    ),
  );
}

/** Makes the disks of a VM that does not run as large as they are to be. */
export async function growDisks(host: VmHost, record: VmRecord): Promise<void> {
  for (const [id, sizeBytes] of wantedSizes(record)) {
    const volume = record.volumes[id as keyof typeof record.volumes];
    if (volume === undefined || volume.sizeBytes >= sizeBytes) continue;
    await host.driver.ensureDisk({ path: host.folders.diskOf(record.vmId, id), sizeBytes, ...baseOf(host, volume) });
  }
}

/** The record of a VM whose machine is now what its specification says. */
export function changedRecord(record: VmRecord): VmRecord {
  const sizes = wantedSizes(record);
  const volumes = Object.entries(record.volumes).map(([id, volume]) => [
    id,
    { ...volume, sizeBytes: Math.max(volume.sizeBytes, sizes.get(id) ?? 0) },
  ]);
  return {
    ...record,
    volumes: Object.fromEntries(volumes),
    run: record.run && { ...record.run, machine: machineOf(specOf(record)) },
  };
}

function specOf({ spec, vmId }: VmRecord): VmSpec {
  if (spec === null) throw new TypeError(`VM ${vmId} that is to run has a specification`);
  return spec;
}
