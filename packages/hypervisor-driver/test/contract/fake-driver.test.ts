import { mkdtempSync, rmSync } from 'node:fs';
import { MIB } from '@kvorum/schema';
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
    damageTemplate: (template) => void machine.damagedTemplates.add(template),
    damagedImagePath: `${folder}/damaged.qcow2`,
    see: async (vm) => {
      const { machine: now } = machine.processOf(vm.vmId);
      const { devices } = now.hardware;
      const [drive] = devices.cdroms;
      return {
        vcpuCount: now.vcpuCount,
        memoryBytes: now.memoryBytes,
        diskBytes: [now.diskPath, ...Object.values(now.attachments?.disks ?? {})].map(
          (path) => machine.disks.get(path)?.sizeBytes ?? 0,
        ),
        macAddresses: devices.nics.map(({ macAddress }) => macAddress ?? ''),
        mediumBytes: drive?.imageSha256 == null ? null : MIB,
      };
    },
    makeLayers: (paths, sizeBytes) => {
      for (const path of paths) machine.disks.set(path, { path, sizeBytes, imagePath: null });
    },
    // Its disks are no files.
    expectContent: () => undefined,
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
