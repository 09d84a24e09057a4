import { closeSync, copyFileSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { guestImage } from '../../../../tests/support/guest-images.js';
import { bindThread } from '../../src/cpu/affinity.js';
import { openQemuDriver } from '../../src/index.js';
import { isolated, removeGroups } from '../qemu/isolated.js';
import { buildGuestImage, openScratch, tpmPidsOf } from '../qemu/scratch.js';
import { expectContent, makeLayers } from './disk-layers.js';
import { describeDriverContract } from './driver.contract.js';
import { seeInGuest } from './see-in-guest.js';

/** Of a process that hangs on purpose nothing comes, however long one waits. */
const ADOPT_TIMEOUT_MS = 1_000;

describeDriverContract('QEMU', () => {
  const { path: folder, remove } = openScratch();
  const damagedImagePath = `${folder}/damaged.qcow2`;
  writeFileSync(damagedImagePath, 'not an image, but long enough to be taken for one'.repeat(10));
  return {
    openDriver: () => openQemuDriver({ adoptTimeoutMs: ADOPT_TIMEOUT_MS, ...isolated(folder) }),
    folder,
    imagePath: buildGuestImage(folder),
    // Copied, as an agent's cache has it: a VM's user could not pass to wherever the checkout lies.
    linuxImagePath: async () => {
      const path = `${folder}/tiny.qcow2`;
      copyFileSync((await guestImage('tiny')).path, path);
      return path;
    },
    watchdogImagePath: () => buildGuestImage(folder, { source: 'watchdog-guest' }),
    expireWatchdog: () => undefined,
    killTpm: (vm) => {
      for (const pid of tpmPidsOf(join(folder, vm.vmId.slice(0, 8)))) process.kill(pid, 'SIGKILL');
    },
    damageTemplate: (template) => {
      const memory = openSync(join(template, 'sealed', 'memory'), 'r+');
      writeSync(memory, 'another guest', 4096);
      closeSync(memory);
    },
    damagedImagePath,
    see: seeInGuest,
    makeLayers,
    expectContent,
    kill: (vm) => process.kill(vm.pid, 'SIGKILL'),
    hang: (vm) => process.kill(vm.pid, 'SIGSTOP'),
    unhang: (vm) => process.kill(vm.pid, 'SIGCONT'),
    moveThread: (_vm, thread, cpus) => bindThread(thread.threadId, cpus),
    close: async () => {
      remove();
      await removeGroups(isolated(folder));
    },
  };
});
