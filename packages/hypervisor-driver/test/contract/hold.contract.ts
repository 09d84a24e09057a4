import { describe, expect, it } from 'vitest';
import type { HypervisorDriver, LaunchSpec, RunningVm } from '../../src/index.js';

/** What the driver's contract lends. */
export interface HoldContractLoan {
  openDriver(): HypervisorDriver;
  launch(changes?: Partial<LaunchSpec>): Promise<{ vm: RunningVm; spec: LaunchSpec }>;
}

export function describeHoldContract({ openDriver, launch }: HoldContractLoan): void {
  describe('a running VM', () => {
    it('stands still for as long as it is held, and goes on then; one that is paused stays so', async () => {
      const { vm, spec } = await launch();
      const heard: string[] = [];
      vm.onPowerChange((power) => heard.push(power));
      expect(await vm.holdStill(() => vm.queryPower())).toBe('paused');
      expect(await vm.queryPower()).toBe('running');
      await expect(vm.holdStill(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
      expect(await vm.queryPower()).toBe('running');
      await vm.pause();
      expect(await vm.holdStill(() => vm.queryPower())).toBe('paused');
      expect(await vm.queryPower()).toBe('paused');
      expect(heard).toEqual([]);
      await openDriver().sweep(vm.vmId, spec.runDir);
    });

    it('that was held by an agent that is gone goes on once the next one takes it over', async () => {
      const { vm, spec } = await launch();
      await expect(vm.holdStill(() => vm.release())).rejects.toMatchObject({ code: 'conflict_state' });
      const adopted = await openDriver().adopt(vm.vmId, spec.runDir);
      expect(await adopted?.queryPower()).toBe('running');
      await adopted?.pause();
      await adopted?.release();
      expect(await (await openDriver().adopt(vm.vmId, spec.runDir))?.queryPower()).toBe('paused');
      await openDriver().sweep(vm.vmId, spec.runDir);
    });
  });
}
