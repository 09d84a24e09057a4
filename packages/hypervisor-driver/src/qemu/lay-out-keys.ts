import { chmod, chown, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { DomainError } from '@kvorum/schema';
import { type DiskImage, type LaunchSpec, type RbdImage, ROOT_DISK_ID } from '../driver.js';
import { keyFileOf } from './arguments/key-arguments.js';
import { isDevice } from './devices/image-node.js';
import { runFolder } from './run-folder.js';

const PASSABLE_MODE = 0o711;
const READ_ONCE_MODE = 0o400;
const OTHERS_MAY_READ = 0o004;

/** The images in Ceph of a VM, by the ids of its disks. */
function imagesOf({ rootImage, attachments }: LaunchSpec): [diskId: string, image: RbdImage][] {
  const images: Record<string, DiskImage> = {
    ...attachments?.images,
    ...(rootImage === undefined ? {} : { [ROOT_DISK_ID]: rootImage }),
  };
  return Object.entries(images).flatMap(([diskId, image]) => (isDevice(image) ? [] : [[diskId, image]]));
}

/** Copies of keys for a process that is about to start, which its user alone can read. Null: it runs under the agent's user. */
export async function layOutKeys(spec: LaunchSpec, uid: number | null): Promise<void> {
  const images = imagesOf(spec);
  if (images.length === 0) return;
  const { keys } = runFolder(spec.runDir);
  await mkdir(keys, { recursive: true });
  await chmod(keys, PASSABLE_MODE);
  for (const [diskId, { keyPath, confPath }] of images) {
    if (uid !== null) await assertReadable(confPath);
    const path = keyFileOf(spec.runDir, diskId);
    await writeFile(path, await readFile(keyPath), { mode: READ_ONCE_MODE });
    if (uid !== null) await chown(path, uid, uid);
  }
}

async function assertReadable(confPath: string): Promise<void> {
  const { mode } = await stat(confPath);
  if ((mode & OTHERS_MAY_READ) !== 0) return;
  throw new DomainError(
    'host_fault',
    `the users of VMs cannot read ${confPath}: chmod o+r it; keys do not belong there`,
  );
}
