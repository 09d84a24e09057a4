import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DISK_BYTES_MAX, DISK_BYTES_MIN, DomainError, MIB } from '@kvorum/schema';
import type { DiskSpec } from '../driver.js';
import { asHostFault } from '../process/as-host-fault.js';
import { runTool } from '../process/run-tool.js';
import { type ImageFacts, inspectBaseImage, inspectOverlay, type QemuImg } from './inspect-image.js';
import { pathRefusal } from './run-folder.js';

/** One name, not a random one: each disk has one writer, and what a crash left is overwritten by the next try. */
const partial = (path: string): string => `${path}.partial`;

/** Driver port: HypervisorDriver.ensureDisk. Throws `conflict_state` when another disk is at the path. */
export async function ensureDisk(qemuImg: QemuImg, disk: DiskSpec): Promise<void> {
  assertDiskSpec(disk);
  if (await exists(disk.path)) return assertSameDisk(qemuImg, disk);
  const image = await inspectBase(qemuImg, disk);
  if (image !== null && image.virtualSizeBytes > disk.sizeBytes) {
    throw new DomainError(
      'invalid_request',
      `the image needs ${image.virtualSizeBytes} bytes, the disk has ${disk.sizeBytes}`,
      { details: { fields: [{ field: 'sizeBytes', message: `is below the image's ${image.virtualSizeBytes}` }] } },
    );
  }
  await asHostFault('the disk cannot be made', async () => {
    await mkdir(dirname(disk.path), { recursive: true, mode: 0o700 });
    await rm(partial(disk.path), { force: true });
    await createDisk(qemuImg, disk);
    await syncPath(partial(disk.path));
    await rename(partial(disk.path), disk.path);
    // The name is only durable when its folder is (fsync(2)).
    await syncPath(dirname(disk.path));
  });
}

/** Null: the disk is to be empty. The disk of a template is our own, and rests on an image itself. */
async function inspectBase(qemuImg: QemuImg, { imagePath, base }: DiskSpec): Promise<ImageFacts | null> {
  if (imagePath === null) return null;
  return base === 'template' ? inspectOverlay(qemuImg, imagePath) : inspectBaseImage(qemuImg, imagePath);
}

/** Driver port: HypervisorDriver.removeDisk. */
export async function removeDisk(path: string): Promise<void> {
  const refusal = pathRefusal(path);
  if (refusal !== null) throw invalidField('path', refusal);
  await asHostFault('the disk cannot be removed', async () => {
    await rm(partial(path), { force: true });
    await rm(path, { force: true });
  });
}

/**
 * `-b` takes a file name that must not look like a protocol: an absolute path begins with "/" and so never does
 * (block.c, path_has_protocol). The name goes into the header as it is, and is compared with it later.
 */
async function createDisk(qemuImg: QemuImg, disk: DiskSpec): Promise<void> {
  const target = ['--', `file:${partial(disk.path)}`, String(disk.sizeBytes)];
  const backing = disk.imagePath === null ? [] : ['-F', 'qcow2', '-b', disk.imagePath];
  const args = ['create', '-q', '-f', 'qcow2', ...backing, ...target];
  await runTool(qemuImg.path, args, qemuImg.timeoutMs);
}

async function assertSameDisk(qemuImg: QemuImg, disk: DiskSpec): Promise<void> {
  const found = await inspectOverlay(qemuImg, disk.path);
  if (found.backingFile === disk.imagePath && found.virtualSizeBytes <= disk.sizeBytes) {
    if (found.virtualSizeBytes < disk.sizeBytes) await growDisk(qemuImg, disk);
    return;
  }
  throw new DomainError('conflict_state', 'another disk is there already: it differs in size or image', {
    details: { foundSizeBytes: found.virtualSizeBytes, wantedSizeBytes: disk.sizeBytes },
  });
}

/** qemu-img takes the disk's write lock, and so refuses one that a running VM has open. Larger twice is larger once. */
async function growDisk(qemuImg: QemuImg, disk: DiskSpec): Promise<void> {
  await asHostFault('the disk cannot be made larger', async () => {
    await runTool(
      qemuImg.path,
      ['resize', '-q', '-f', 'qcow2', '--', disk.path, String(disk.sizeBytes)],
      qemuImg.timeoutMs,
    );
    await syncPath(disk.path);
  });
}

function assertDiskSpec(disk: DiskSpec): void {
  const { path, imagePath, sizeBytes } = disk;
  for (const [field, value] of Object.entries({ path, imagePath })) {
    const refusal = value === null ? null : pathRefusal(value);
    if (refusal !== null) throw invalidField(field, refusal);
  }
  const isWithin = Number.isSafeInteger(sizeBytes) && sizeBytes >= DISK_BYTES_MIN && sizeBytes <= DISK_BYTES_MAX;
  if (!isWithin || sizeBytes % MIB !== 0) {
    throw invalidField('sizeBytes', `is not a whole number of MiB within ${DISK_BYTES_MIN} to ${DISK_BYTES_MAX}`);
  }
}

const invalidField = (field: string, message: string): DomainError =>
  new DomainError('invalid_request', `${field} ${message}`, { details: { fields: [{ field, message }] } });

async function exists(path: string): Promise<boolean> {
  try {
    return (await stat(path)) !== undefined;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw new DomainError('host_fault', `the disk cannot be read: ${(thrown as Error).message}`, { cause: thrown });
  }
}

export async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
