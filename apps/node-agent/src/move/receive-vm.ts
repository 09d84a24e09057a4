import { chmod, mkdir, rename, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncPath } from '@kvorum/host-storage';
import type { HypervisorDriver } from '@kvorum/hypervisor-driver';
import { DomainError, MIB } from '@kvorum/schema';
import { z } from 'zod';
import type { StateFolders } from '../state/state-folders.js';
import type { ReceivedVm } from '../vm/vm-actor.js';
import type { VmHost } from '../vm/vm-host.js';
import type { VmRecord } from '../vm/vm-record.js';
import { type PulledFile, pullFile, type SourceOfVm } from './pull-file.js';
import { diskName, FIRMWARE_NAMES } from './vm-files.js';

/** Kept free for records and logs: a full file system stops every VM of the host. */
const FREE_BYTES_KEPT = 64 * MIB;
/** UEFI variables are 528 KiB, the state of a TPM some KiB. */
const FIRMWARE_FILE_BYTES_MAX = 16 * MIB;
/** qcow2's own tables are 1/8000 of a full disk; what a process leaked when it was ended hard, and bitmaps, come on top. */
const diskFileBytesMax = (virtualBytes: number): number => Math.ceil(virtualBytes * 1.125) + 64 * MIB;
const FOLDER_MODE = 0o711;
const INCOMING = '.incoming';

export interface WantedVolume {
  readonly volumeId: keyof VmRecord['volumes'];
  readonly sizeBytes: number;
  readonly imageSha256: string | null;
}

export interface ReceiveProgress {
  doneBytes: number;
  totalBytes: number;
}

export interface Receiving {
  readonly vmId: string;
  readonly volumes: readonly WantedVolume[];
  readonly source: SourceOfVm;
  readonly host: Pick<VmHost, 'folders' | 'imagePath' | 'machineTypes' | 'log'> & {
    readonly driver: Pick<HypervisorDriver, 'adoptDisk'>;
  };
  /** Written as it goes. */
  readonly progress: ReceiveProgress;
}

const Bytes = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
/** What the other host says of the VM: checked like anything that comes from outside. */
const Description = z.object({
  machineType: z.string().regex(/^[a-z0-9._-]{0,64}$/),
  vmGenerationId: z.union([z.literal(''), z.uuid()]),
  files: z.array(z.object({ name: z.string().max(128), sizeBytes: Bytes, allocatedBytes: Bytes })).max(128),
});

interface PlannedFile extends PulledFile {
  readonly path: string;
  readonly volume: WantedVolume | null;
}

/**
 * Copies a VM from the host that has it: what is wanted of it and nothing else, under names of our own, whatever the other host
 * says. Each file is whole, checked and on the disk before it gets its place, so that this may be broken off anywhere and begun
 * again. Throws `no_capacity`, `checksum_mismatch`, `image_invalid`, `conflict_state`; `unavailable` or `host_unreachable` for
 * what is worth another try.
 */
export async function receiveVm(receiving: Receiving, stop: AbortSignal): Promise<ReceivedVm> {
  const { vmId, volumes, source, host, progress } = receiving;
  const described = Description.safeParse(await source.describe(stop));
  if (!described.success)
    throw new DomainError('host_fault', 'the other host describes the VM in a way that is no use');
  const { machineType, vmGenerationId } = described.data;
  if (machineType !== '' && !host.machineTypes().includes(machineType)) {
    throw new DomainError('conflict_state', `the QEMU of this host does not have the machine type ${machineType}`);
  }
  const files = planFiles(host.folders, receiving, described.data.files);
  await host.folders.createDisksOf(vmId);
  await refuseIfFull(host.folders, files);
  progress.totalBytes = files.reduce((sum, { allocatedBytes }) => sum + allocatedBytes, 0);
  for (const file of files) {
    const beforeBytes = progress.doneBytes;
    await takeFile(receiving, file, stop);
    progress.doneBytes = beforeBytes + file.allocatedBytes;
  }
  host.log.info({ vmId, fileCount: files.length, bytes: progress.totalBytes }, 'a VM was copied from another host');
  return {
    machineType: machineType === '' ? null : machineType,
    vmGenerationId: vmGenerationId === '' ? null : vmGenerationId,
    volumes: Object.fromEntries(
      volumes.map(({ volumeId, ...volume }) => [volumeId, { ...volume, isComplete: true }]),
    ) as ReceivedVm['volumes'],
  };
}

type Described = z.infer<typeof Description>['files'][number];

/** Every disk that is wanted, and what there is of firmware. Other files that the host names are not asked for. */
function planFiles(
  folders: StateFolders,
  { vmId, volumes }: Receiving,
  described: readonly Described[],
): PlannedFile[] {
  const byName = new Map(described.map((file) => [file.name, file]));
  const disks = volumes.map((volume) => {
    const file = byName.get(diskName(volume.volumeId));
    if (file === undefined) {
      throw new DomainError('conflict_state', `the other host does not have the disk ${volume.volumeId} of the VM`);
    }
    requireSize(file, diskFileBytesMax(volume.sizeBytes));
    return { ...file, path: folders.diskOf(vmId, volume.volumeId), volume };
  });
  const firmware = [...FIRMWARE_NAMES].flatMap(([name, relative]) => {
    const file = byName.get(name);
    if (file === undefined) return [];
    requireSize(file, FIRMWARE_FILE_BYTES_MAX);
    return [{ ...file, path: join(folders.firmwareOf(vmId), relative), volume: null }];
  });
  return [...disks, ...firmware];
}

function requireSize({ name, sizeBytes, allocatedBytes }: Described, bytesMax: number): void {
  if (sizeBytes > bytesMax || allocatedBytes > bytesMax) {
    throw new DomainError('conflict_state', `${name} takes ${sizeBytes} bytes, more than the ${bytesMax} it may take`);
  }
}

/** What has come before counts as there. */
async function refuseIfFull(folders: StateFolders, files: readonly PlannedFile[]): Promise<void> {
  let neededBytes = FREE_BYTES_KEPT;
  for (const { path, allocatedBytes } of files) {
    const here = (await allocatedBytesOf(path)) ?? (await allocatedBytesOf(`${path}${INCOMING}`)) ?? 0;
    neededBytes += Math.max(0, allocatedBytes - here);
  }
  const { bavail, bsize } = await statfs(folders.disks);
  if (bavail * bsize >= neededBytes) return;
  throw new DomainError('no_capacity', `the VM needs ${neededBytes} bytes, ${bavail * bsize} are free on the host`, {
    details: { neededBytes, freeBytes: bavail * bsize },
  });
}

const STAT_BLOCK_BYTES = 512;
const allocatedBytesOf = (path: string): Promise<number | null> =>
  stat(path).then(
    ({ blocks }) => blocks * STAT_BLOCK_BYTES,
    () => null,
  );

async function takeFile(receiving: Receiving, file: PlannedFile, stop: AbortSignal): Promise<void> {
  const { source, host, progress } = receiving;
  const { path, volume } = file;
  // It got its place before we were broken off. Under this operation nothing else can have put it there.
  if (volume !== null && (await allocatedBytesOf(path)) !== null) return;
  const incoming = `${path}${INCOMING}`;
  await makeFolders(host.folders, receiving.vmId, path);
  await pullFile({ source, file, path: incoming, progress }, stop).catch((thrown: unknown) => {
    throw thrown instanceof DomainError ? thrown : faultOf(thrown as NodeJS.ErrnoException);
  });
  if (volume === null) {
    await rename(incoming, path);
    return syncPath(dirname(path));
  }
  const imagePath = volume.imageSha256 === null ? null : await host.imagePath(volume.imageSha256);
  if (volume.imageSha256 !== null && imagePath === null) {
    throw new DomainError('conflict_state', 'the image of the disk is not on this host');
  }
  await host.driver.adoptDisk({ file: incoming, path, imagePath, sizeBytesMax: volume.sizeBytes });
}

async function makeFolders(folders: StateFolders, vmId: string, path: string): Promise<void> {
  if (!path.startsWith(folders.firmwareOf(vmId))) return;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await chmod(folders.firmwareOf(vmId), FOLDER_MODE);
}

function faultOf(thrown: NodeJS.ErrnoException): DomainError {
  return thrown.code === 'ENOSPC' || thrown.code === 'EDQUOT'
    ? new DomainError('no_capacity', 'the disk of the host is full', { cause: thrown })
    : new DomainError('host_fault', `the VM cannot be kept on this host: ${thrown.message}`, { cause: thrown });
}
