import { writeFileSync } from 'node:fs';
import { openQemuDriver } from '../../src/index.js';
import { buildGuestImage, openScratch } from '../qemu/scratch.js';
import { describeDriverContract } from './driver.contract.js';

describeDriverContract('QEMU', () => {
  const { path: folder, remove } = openScratch();
  const damagedImagePath = `${folder}/damaged.qcow2`;
  writeFileSync(damagedImagePath, 'not an image, but long enough to be taken for one'.repeat(10));
  return {
    openDriver: () => openQemuDriver(),
    folder,
    imagePath: buildGuestImage(folder),
    damagedImagePath,
    kill: (vm) => process.kill(vm.pid, 'SIGKILL'),
    close: remove,
  };
});
