import { PLAIN_HARDWARE, type VmHardware } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import type { DeviceEvent, HypervisorDriver, LaunchSpec, RunningVm } from '../../src/index.js';
import { waitUntil } from './wait-until.js';

/** What a driver has to offer this part of the suite. */
export interface FirmwareSubject {
  /** A driver as a freshly started agent would open it, over the same machine each time. */
  openDriver(): HypervisorDriver;
  /** A good image of a guest that arms its watchdog and does not feed it. */
  watchdogImagePath(): string;
  /** Where a guest's watchdog does not run out by itself: lets it. */
  expireWatchdog(vm: RunningVm): void;
  /** Makes the process of the VM's TPM end as by SIGKILL from elsewhere. */
  killTpm(vm: RunningVm): void;
}

/** What the driver's contract lends: its machine, and its ways to start VMs. */
export interface FirmwareContractLoan {
  readonly subject: FirmwareSubject;
  readonly diskBytes: number;
  driver(): HypervisorDriver;
  specOf(changes?: Partial<LaunchSpec>): LaunchSpec;
  launch(changes?: Partial<LaunchSpec>): Promise<{ vm: RunningVm; spec: LaunchSpec }>;
  waitForGuest(vm: RunningVm, spec: LaunchSpec, counts?: number): Promise<void>;
  countsOf(spec: LaunchSpec): number;
}

export const withFirmware = (changes: Partial<VmHardware['firmware']>): VmHardware => ({
  ...PLAIN_HARDWARE,
  firmware: { ...PLAIN_HARDWARE.firmware, ...changes },
});

const END_TIMEOUT_MS = 5_000;

export function describeFirmwareContract(borrow: () => FirmwareContractLoan): void {
  describe('the firmware of a VM', () => {
    it('shows the guest its generation id, the same after a restart', async () => {
      const lent = borrow();
      const { vm, spec } = await lent.launch();
      expect(await vm.queryGenerationId()).toBe(spec.firmware.generationId);
      await vm.end(END_TIMEOUT_MS);
      const again = await lent.driver().launch({ ...spec, epoch: 2 });
      expect(await again.queryGenerationId()).toBe(spec.firmware.generationId);
      await lent.driver().sweep(vm.vmId, spec.runDir);
    });

    it('a watchdog that runs out is told, also to an agent that comes later, and its action is taken', async () => {
      const lent = borrow();
      const spec = lent.specOf({ hardware: withFirmware({ watchdog: { action: 'pause' } }), isPaused: true });
      const imagePath = lent.subject.watchdogImagePath();
      await lent.driver().ensureDisk({ path: spec.diskPath, sizeBytes: lent.diskBytes, imagePath });
      const vm = await lent.driver().launch(spec);
      const heard: DeviceEvent[] = [];
      vm.onDeviceEvent((event) => heard.push(event));
      await vm.resume();
      lent.subject.expireWatchdog(vm);
      await waitUntil('the pause', async () => (await vm.queryPower()) === 'paused');
      expect(heard).toEqual([{ kind: 'watchdog-expired', action: 'pause' }]);
      await vm.release();
      const adopted = await lent.subject.openDriver().adopt(spec.vmId, spec.runDir);
      adopted?.onDeviceEvent((event) => heard.push(event));
      expect(heard).toHaveLength(2);
      await adopted?.resume();
      expect(await adopted?.queryPower()).toBe('running');
      await lent.driver().sweep(vm.vmId, spec.runDir);
    });

    it('a VM that its watchdog powers off has crashed, and says so', async () => {
      const lent = borrow();
      const spec = lent.specOf({ hardware: withFirmware({ watchdog: { action: 'poweroff' } }) });
      const imagePath = lent.subject.watchdogImagePath();
      await lent.driver().ensureDisk({ path: spec.diskPath, sizeBytes: lent.diskBytes, imagePath });
      const vm = await lent.driver().launch(spec);
      lent.subject.expireWatchdog(vm);
      expect(await vm.exited).toMatchObject({
        reason: 'crash',
        detail: expect.stringContaining('watchdog ran out (poweroff)'),
      });
    });

    it('the end of a TPM is told, also to an agent that comes later, and the VM goes on', async () => {
      const lent = borrow();
      const { vm, spec } = await lent.launch({ hardware: withFirmware({ tpm: '2.0' }) });
      const heard: DeviceEvent[] = [];
      vm.onDeviceEvent((event) => heard.push(event));
      await lent.waitForGuest(vm, spec);
      expect(heard).toEqual([]);
      lent.subject.killTpm(vm);
      await waitUntil('the news', () => heard.length > 0);
      expect(heard).toMatchObject([{ kind: 'tpm-lost' }]);
      await lent.waitForGuest(vm, spec, lent.countsOf(spec) + 1);
      await vm.release();
      const adopted = await lent.subject.openDriver().adopt(spec.vmId, spec.runDir);
      adopted?.onDeviceEvent((event) => heard.push(event));
      await waitUntil('the news again', () => heard.length === 2);
      await adopted?.end(END_TIMEOUT_MS);
    });
  });
}
