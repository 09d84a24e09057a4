import type { Vm } from '@kvorum/client';
import { usageError } from '../../../usage-error.js';
import { changeOfList, wantedDevices } from '../wanted-devices.js';

/** `imageId` null: nothing is to lie in it. */
export function putIntoDrive(vm: Vm, name: string, imageId: string | null) {
  const drives = wantedDevices(vm, 'cdroms');
  if (!drives.some((drive) => drive.name === name)) {
    const known = drives.map((drive) => drive.name).join(', ') || 'none';
    throw usageError(
      `the VM has no drive ${name}; it has: ${known}`,
      'Add one, and start the VM anew: kvorum vm cdrom add',
    );
  }
  const entries = drives.map((drive) => (drive.name === name ? { name, imageId } : drive));
  return changeOfList(vm, 'cdroms', entries);
}
