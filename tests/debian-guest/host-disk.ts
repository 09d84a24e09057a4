import { execFile } from 'node:child_process';
import { chmod, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { HostNamespace } from '../e2e/host-namespaces.js';

const exec = promisify(execFile);
/** Sparse: an image, two disks of a guest, their snapshots and clones. */
const DISK_SIZE = '16G';
/**
 * EXT4_IOC_SHUTDOWN (fs/ext4/ext4.h) with EXT4_GOING_FLAGS_NOLOGFLUSH: from now on nothing reaches the disk, neither pages that were written
 * and not flushed nor the journal of the file system. That is what a loss of power leaves, where SIGKILL alone leaves all that was written.
 */
const CUT_POWER =
  'my $how = pack("L", 2); open(my $root, "<", $ARGV[0]) or die; ioctl($root, 0x8004587D, $how) or die $!';

/** A file system that is one host's alone, and that only its namespaces see. */
export interface HostDisk {
  /** Where it is mounted, for the processes of the host. */
  readonly path: string;
  /** What has not reached the disk is lost. Nothing may be running on the host that has files of it open after `endAll`. */
  losePower(endAll: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export async function openHostDisk(host: HostNamespace, folder: string, name: string): Promise<HostDisk> {
  const file = path.join(folder, `${name}.disk`);
  const mountPoint = path.join(folder, name);
  await mkdir(mountPoint);
  await exec('truncate', ['-s', DISK_SIZE, file]);
  await exec('mkfs.ext4', ['-q', '-F', '-E', 'root_owner=0:0', file]);
  const mount = () => host.run('mount', '-o', 'loop', file, mountPoint);
  await mount();
  // Programs of VMs run under users of their own and have to pass.
  await host.run('chmod', '711', mountPoint);
  await chmod(folder, 0o711);
  return {
    path: mountPoint,
    losePower: async (endAll) => {
      await endAll();
      await host.run('perl', '-e', CUT_POWER, mountPoint);
      await host.run('umount', mountPoint);
      await mount();
    },
    close: async () => {
      await host.run('umount', mountPoint);
    },
  };
}
