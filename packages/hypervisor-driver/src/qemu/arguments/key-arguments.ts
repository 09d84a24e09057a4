import { join } from 'node:path';
import type { LaunchSpec } from '../../driver.js';
import { imageKey } from '../devices/image-node.js';
import { runFolder } from '../run-folder.js';

/** Where a process that is being started finds the key of a disk in Ceph. */
export const keyFileOf = (runDir: string, diskId: string): string => join(runFolder(runDir).keys, diskId);

/** A file, as everybody can read a command line (proc_pid_cmdline(5)). */
export const keyArguments = ({ runDir }: LaunchSpec, diskId: string, pathOf: (path: string) => string): string[] => [
  '-object',
  JSON.stringify({ ...imageKey(diskId), file: pathOf(keyFileOf(runDir, diskId)) }),
];
