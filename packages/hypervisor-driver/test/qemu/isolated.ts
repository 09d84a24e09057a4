import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { openQemuDriver, type QemuOptions, VM_UIDS } from '../../src/index.js';
import { findLayout } from '../../src/isolation/cgroups.js';
import { waitUntil } from '../contract/wait-until.js';

/** As an agent in production runs VMs, where this process may: users need root, limits also a tree that can be written. */
export const isolated = (folder: string): Pick<QemuOptions, 'vmUids' | 'cgroupParent'> => ({
  vmUids: process.getuid?.() === 0 ? VM_UIDS : null,
  cgroupParent: `kvorum-test-${basename(folder)}`,
});

/** After a test, failed or not: what ran was killed, and its groups are empty in a moment. */
export async function removeGroups(options: Pick<QemuOptions, 'vmUids' | 'cgroupParent'>): Promise<void> {
  const root = '/sys/fs/cgroup';
  const parent =
    findLayout(root)?.version === 2
      ? join(root, options.cgroupParent ?? '')
      : join(root, 'memory', options.cgroupParent ?? '');
  await waitUntil('the removal of the control groups', async () => {
    await openQemuDriver(options).removeLeftovers(() => false);
    return !existsSync(parent);
  });
}
