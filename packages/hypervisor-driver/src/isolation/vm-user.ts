import { createHash } from 'node:crypto';
import { chmod, chown, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DomainError } from '@kvorum/schema';
import type { RunFolder } from '../qemu/run-folder.js';

/** User ids that belong to VMs alone: no account of the host may lie within. */
export interface UidRange {
  readonly first: number;
  readonly count: number;
}

/**
 * The 2^28 ids that systemd leaves to nobody (docs/UIDS-GIDS.md of systemd: 1879048192 to 2147483647). So many that ids can
 * be derived from the VM's id and need no register: with 200 VMs on a host two share one with a chance below 1 in 10,000.
 */
export const VM_UIDS: UidRange = { first: 1_879_048_192, count: 2 ** 28 - 1 };

const DIGEST_BYTES = 6;

/** The user (and group) id under which a VM's process runs: always the same for the same VM. */
export function vmUid(vmId: string, range: UidRange): number {
  const digest = createHash('sha256').update(vmId).digest().readUIntBE(0, DIGEST_BYTES);
  return range.first + (digest % range.count);
}

/** Everybody may pass through and nobody but the owner may look. */
const PASSAGE_MODE = 0o711;
const PRIVATE_FILE_MODE = 0o600;
const PRIVATE_FOLDER_MODE = 0o700;
const READABLE_FILE_MODE = 0o444;
const OWNER_READS_MODE = 0o400;
const OTHERS_MAY_PASS = 0o001;
const PERMISSION_BITS = 0o777;

export interface VmFiles {
  readonly folder: RunFolder;
  /** Null: it has none. */
  readonly diskPath: string | null;
  /** What lies under the disk. */
  readonly basePaths: readonly string[];
}

/**
 * Gives the VM's user exactly what its process has to open by itself: its disk, its console log, and the folder of its sockets
 * for the time of binding. The image it may read. Folders stay root's, so that no file in them can be exchanged.
 */
export async function admitVmUser(uid: number, { folder, diskPath, basePaths }: VmFiles): Promise<void> {
  await openSockets(folder, uid);
  await chown(folder.serialInput, uid, uid);
  const consoleLog = await open(folder.consoleLog, 'a', PRIVATE_FILE_MODE);
  try {
    await consoleLog.chown(uid, uid);
    await consoleLog.chmod(PRIVATE_FILE_MODE);
  } finally {
    await consoleLog.close();
  }
  if (diskPath !== null) {
    await chmod(dirname(diskPath), PASSAGE_MODE);
    await admitFiles(uid, [diskPath], [], dirname(diskPath));
  }
  for (const path of basePaths) await makeReadable(path);
  await assertPassable(foldersBetween('/', folder.path));
}

/** Lets the VM's user bind sockets, until closeSockets. */
export async function openSockets(folder: RunFolder, uid: number): Promise<void> {
  await chmod(folder.path, PASSAGE_MODE);
  await chown(folder.sockets, uid, uid);
}

/**
 * Gives the VM's user one more of its disks, and makes an image in a drive readable; see admitVmUser. `workingFolder`: from where its
 * process names its disks; what lies above both needs not let it pass.
 */
export async function admitFiles(
  uid: number,
  disks: readonly string[],
  media: readonly string[],
  workingFolder: string,
): Promise<void> {
  for (const folder of new Set(disks.map((path) => dirname(path)))) {
    await assertPassable(foldersBetween(workingFolder, folder));
  }
  for (const path of disks) {
    await chown(path, uid, uid);
    await chmod(path, PRIVATE_FILE_MODE);
  }
  for (const path of media) await makeReadable(path);
}

/** What is so already is left alone: the time of the last change tells whether a template was touched. */
async function makeReadable(path: string): Promise<void> {
  const { mode } = await stat(path);
  if ((mode & PERMISSION_BITS) !== READABLE_FILE_MODE) await chmod(path, READABLE_FILE_MODE);
}

/** Lets the VM's user, and no other VM's, read a file that it may not write; `workingFolder`: see admitFiles. */
export async function admitReader(uid: number, path: string, workingFolder: string): Promise<void> {
  await assertPassable(foldersBetween(workingFolder, dirname(path)));
  await chown(path, uid, uid);
  await chmod(path, OWNER_READS_MODE);
}

/** Once the sockets are bound nobody but the agent can reach or exchange them; the guest has not run yet. */
export async function closeSockets(folder: RunFolder): Promise<void> {
  await chown(folder.sockets, 0, 0);
  await chmod(folder.sockets, PRIVATE_FOLDER_MODE);
}

/**
 * The folders that a process in `from` looks into on its way to `to`: up to where both ways meet, and down again
 * (path_resolution(7)). None if they are the same: it is there already.
 */
function foldersBetween(from: string, to: string): string[] {
  const [up, down] = [withAncestors(from), withAncestors(to)];
  const meeting = up.find((folder) => down.includes(folder)) ?? '/';
  const until = (way: readonly string[]): string[] => way.slice(0, way.indexOf(meeting));
  const way = [...until(up), ...until(down)];
  return up[0] === meeting ? way : [...way, meeting];
}

/** The folder itself first, the root last. */
function withAncestors(path: string): string[] {
  const folders = [path];
  for (let folder = path; folder !== '/'; folder = dirname(folder)) folders.push(dirname(folder));
  return folders;
}

/** A folder on the way that only root may enter would show as a confusing failure of QEMU. */
async function assertPassable(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    const { mode } = await stat(folder);
    if ((mode & OTHERS_MAY_PASS) !== 0) continue;
    throw new DomainError(
      'host_fault',
      `the users of VMs cannot enter ${folder}: chmod o+x it, or choose another folder`,
    );
  }
}
