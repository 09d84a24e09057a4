import { mkdtempSync, rmSync } from 'node:fs';
import { FakeDriver, FakeMachine } from '../../src/index.js';
import { describeDriverContract } from './driver.contract.js';

describeDriverContract('in memory', () => {
  const folder = mkdtempSync('/tmp/kv-');
  const machine = new FakeMachine();
  machine.imagesWithoutBalloon.add(`${folder}/image.qcow2`);
  machine.imagesWithoutGuestAgent.add(`${folder}/image.qcow2`);
  machine.damagedImages.add(`${folder}/damaged.qcow2`);
  return {
    openDriver: () => new FakeDriver(machine),
    folder,
    imagePath: `${folder}/image.qcow2`,
    linuxImagePath: async () => `${folder}/balloon.qcow2`,
    watchdogImagePath: () => `${folder}/watchdog.qcow2`,
    expireWatchdog: (vm) => machine.processOf(vm.vmId).expireWatchdog(),
    killTpm: (vm) => machine.processOf(vm.vmId).killTpm(),
    damagedImagePath: `${folder}/damaged.qcow2`,
    kill: (vm) => machine.processOf(vm.vmId).crash(),
    hang: (vm) => {
      machine.processOf(vm.vmId).isHung = true;
    },
    unhang: (vm) => {
      machine.processOf(vm.vmId).isHung = false;
    },
    moveThread: (vm, thread, cpus) => machine.processOf(vm.vmId).threads.move(thread.threadId, cpus),
    close: () => rmSync(folder, { recursive: true }),
  };
});
