import { once } from 'node:events';
import { pngRefusal } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import {
  GUEST_OUTPUT_BYTES_MAX,
  type GuestCommandStatus,
  type HypervisorDriver,
  type LaunchSpec,
  type RunningVm,
  SERIAL_INPUT_BYTES_MAX,
} from '../../src/index.js';
import { waitUntil } from './wait-until.js';

/** What the driver's contract lends: its VMs, and the one Linux guest that all its tests share. */
export interface ConsoleContractLoan {
  openDriver(): HypervisorDriver;
  launch(changes?: Partial<LaunchSpec>): Promise<{ vm: RunningVm; spec: LaunchSpec }>;
  consoleOf(spec: LaunchSpec): string;
  waitForGuest(vm: RunningVm, spec: LaunchSpec): Promise<void>;
  linuxGuest(): Promise<{ vm: RunningVm; spec: LaunchSpec }>;
  withDisplay(): Partial<LaunchSpec>;
}

const SHORT_MS = 300;
/** An emulated guest on a busy machine; 10 ms are usual. */
const ANSWER_MS_MAX = 30_000;
const CHUNK_BYTES = 4096;

export function describeConsoleContract(lent: ConsoleContractLoan): void {
  describe('the serial line', () => {
    it('types to the guest, also from an agent that took the VM over', async () => {
      const { vm, spec } = await lent.launch();
      await lent.waitForGuest(vm, spec);
      expect(await vm.consoles.writeSerial(Buffer.from('#'))).toBe(1);
      await waitUntil('what was typed', () => lent.consoleOf(spec).includes('#'));
      await vm.release();
      const adopted = await lent.openDriver().adopt(spec.vmId, spec.runDir);
      await adopted?.consoles.writeSerial(Buffer.from('~'));
      await waitUntil('what was typed', async () => {
        await adopted?.queryPower();
        return lent.consoleOf(spec).includes('~');
      });
      await adopted?.end(SHORT_MS);
    });

    it('of a guest that does not read takes what fits, at once, and no more', async () => {
      const { vm } = await lent.launch({ isPaused: true });
      let takenBytes = 0;
      for (;;) {
        const taken = await vm.consoles.writeSerial(Buffer.alloc(CHUNK_BYTES, 'x'));
        takenBytes += taken;
        if (taken === 0) break;
      }
      // QEMU itself holds a few bytes more.
      expect(takenBytes).toBeGreaterThanOrEqual(SERIAL_INPUT_BYTES_MAX);
      expect(takenBytes).toBeLessThanOrEqual(SERIAL_INPUT_BYTES_MAX + CHUNK_BYTES);
      await vm.end(SHORT_MS);
    });
  });

  describe('the screen', () => {
    it('is not there unless it was asked for', async () => {
      const { vm } = await lent.launch();
      await expect(vm.consoles.takeScreenshot()).rejects.toMatchObject({ code: 'conflict_state' });
      await expect(vm.consoles.openDisplay()).rejects.toMatchObject({ code: 'conflict_state' });
      await vm.end(SHORT_MS);
    });

    it('is seen on screenshots, several at once, and by VNC, until the VM ends', async () => {
      const { vm, spec } = await lent.launch(lent.withDisplay());
      await lent.waitForGuest(vm, spec);
      const shots = await Promise.all([vm.consoles.takeScreenshot(), vm.consoles.takeScreenshot()]);
      for (const shot of shots) expect(pngRefusal(shot)).toBeNull();
      const viewers = await Promise.all([vm.consoles.openDisplay(), vm.consoles.openDisplay()]);
      for (const viewer of viewers) {
        const [greeting] = (await once(viewer, 'data')) as [Buffer];
        expect(greeting.toString('latin1')).toBe('RFB 003.008\n');
      }
      const closed = viewers.map((viewer) => once(viewer, 'close'));
      await vm.end(SHORT_MS);
      await Promise.all(closed);
    });
  });

  describe('the guest agent', () => {
    it('that is not there has failed, and the VM is untouched', async () => {
      const { vm } = await lent.launch();
      const asked = [vm.guest.queryInterfaces(SHORT_MS), vm.guest.freeze(SHORT_MS), vm.guest.thaw(SHORT_MS)];
      for (const outcome of await Promise.allSettled(asked)) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'guest_agent_failed' } });
      }
      expect(await vm.queryPower()).toBe('running');
      await vm.end(SHORT_MS);
    });

    const finished = async (vm: RunningVm, commandId: number): Promise<GuestCommandStatus> => {
      let status: GuestCommandStatus | null = null;
      await waitUntil('the end of the program', async () => {
        status = await vm.guest.pollCommand(commandId, ANSWER_MS_MAX);
        return status.hasEnded;
      });
      if (status === null) throw new Error('waitUntil has not looked');
      return status;
    };
    const run = async (vm: RunningVm, program: string, args: string[], input: Uint8Array | null = null) =>
      finished(vm, await vm.guest.startCommand({ program, args, input }, ANSWER_MS_MAX));

    it('runs programs without a shell and tells their output and end', async () => {
      const { vm } = await lent.linuxGuest();
      await waitUntil('the guest agent', async () => (await vm.pingGuest(ANSWER_MS_MAX)).isResponding, ANSWER_MS_MAX);
      const echoed = await run(vm, 'echo', ['a  b', '$HOME', ';']);
      expect(Buffer.from(echoed.stdout).toString()).toBe('a  b $HOME ;\n');
      expect(echoed).toMatchObject({ hasEnded: true, exitCode: 0, signal: null, isTruncated: false });
      const input = Buffer.from([0, 255, 10, 13]);
      expect(Buffer.from((await run(vm, 'cat', [], input)).stdout)).toEqual(input);
      expect(await run(vm, 'false', [])).toMatchObject({ exitCode: 1 });
      const missing = vm.guest.startCommand({ program: 'no-such-program', args: [], input: null }, ANSWER_MS_MAX);
      await expect(missing).rejects.toMatchObject({ code: 'guest_agent_failed' });
    });

    it('tells a program that runs on from one that was ended by a signal', async () => {
      const { vm } = await lent.linuxGuest();
      const id = await vm.guest.startCommand({ program: 'sleep', args: ['600'], input: null }, ANSWER_MS_MAX);
      expect(await vm.guest.pollCommand(id, ANSWER_MS_MAX)).toMatchObject({ hasEnded: false, exitCode: null });
      await vm.guest.startCommand({ program: 'kill', args: ['-KILL', String(id)], input: null }, ANSWER_MS_MAX);
      expect(await finished(vm, id)).toMatchObject({ hasEnded: true, exitCode: null, signal: 9 });
    });

    it('hands over no more than is taken from a guest, and goes on answering', async () => {
      const { vm } = await lent.linuxGuest();
      // 7 bytes each
      const lines = String(Math.ceil(GUEST_OUTPUT_BYTES_MAX / 6) + 100_000);
      await expect(run(vm, 'seq', [lines])).rejects.toMatchObject({ code: 'guest_agent_failed' });
      await waitUntil('an answer', async () => (await vm.pingGuest(ANSWER_MS_MAX)).isResponding);
      expect(await run(vm, 'echo', ['on'])).toMatchObject({ exitCode: 0 });
    });

    it('tells the network interfaces, without loopback', async () => {
      const { vm } = await lent.linuxGuest();
      const interfaces = await vm.guest.queryInterfaces(ANSWER_MS_MAX);
      expect(interfaces.map(({ name }) => name)).not.toContain('lo');
    });

    it('freezes file systems and thaws them, once each; frozen, it runs nothing', async () => {
      const { vm } = await lent.linuxGuest();
      expect(await vm.guest.isFrozen(ANSWER_MS_MAX)).toBe(false);
      expect(await vm.guest.thaw(ANSWER_MS_MAX)).toBe(0);
      expect(await vm.guest.freeze(ANSWER_MS_MAX)).toBe(1);
      expect(await vm.guest.isFrozen(ANSWER_MS_MAX)).toBe(true);
      await expect(vm.guest.freeze(ANSWER_MS_MAX)).rejects.toMatchObject({ code: 'guest_agent_failed' });
      await expect(run(vm, 'echo', [])).rejects.toMatchObject({ code: 'guest_agent_failed' });
      expect((await vm.pingGuest(ANSWER_MS_MAX)).isResponding).toBe(true);
      expect(await vm.guest.thaw(ANSWER_MS_MAX)).toBe(1);
      expect(await run(vm, 'echo', [])).toMatchObject({ exitCode: 0 });
    });
  });
}
