import { execFile } from 'node:child_process';
import { chmod, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { HostNamespace } from '../e2e/host-namespaces.js';

const exec = promisify(execFile);
/** Sparse: an image, two disks of a guest, their snapshots and clones. */
const DISK_SIZE = '16G';

/** A file system that is one host's alone, and that only its namespaces see. */
export interface HostDisk {
  /** Where it is mounted, for the processes of the host. */
  readonly path: string;
  close(): Promise<void>;
}

export async function openHostDisk(host: HostNamespace, folder: string, name: string): Promise<HostDisk> {
  const file = path.join(folder, `${name}.disk`);
  const mountPoint = path.join(folder, name);
  await mkdir(mountPoint);
  await exec('truncate', ['-s', DISK_SIZE, file]);
  await exec('mkfs.ext4', ['-q', '-F', '-E', 'root_owner=0:0', file]);
  await host.run('mount', '-o', 'loop', file, mountPoint);
  // Programs of VMs run under users of their own and have to pass.
  await host.run('chmod', '711', mountPoint);
  await chmod(folder, 0o711);
  return {
    path: mountPoint,
    close: async () => {
      await host.run('umount', mountPoint);
    },
  };
}
