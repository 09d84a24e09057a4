import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DomainError, MIB, PLAIN_HARDWARE } from '@kvorum/schema';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { ANYWHERE, type LaunchSpec } from '../driver.js';
import { FakeDriver } from './fake-driver.js';
import { FakeMachine } from './fake-machine.js';

const folder = mkdtempSync('/tmp/kv-');
afterAll(() => rmSync(folder, { recursive: true }));
const launch: LaunchSpec = {
  vmId: '01900000-0000-7000-8000-000000000001',
  name: 'web',
  runDir: join(folder, 'run'),
  epoch: 1,
  vcpuCount: 1,
  memoryBytes: 64 * MIB,
  accelerator: 'kvm',
  diskPath: '/disks/a',
  machineType: 'pc-q35-10.0',
  hardware: PLAIN_HARDWARE,
  firmware: { folder: '/firmware/a', generationId: '01900000-0000-4000-8000-00000000000a' },
  placement: ANYWHERE,
  isPaused: false,
};

describe('faults of the fake machine', () => {
  let machine: FakeMachine;
  let driver: FakeDriver;
  beforeEach(async () => {
    machine = new FakeMachine();
    driver = new FakeDriver(machine);
    await driver.ensureDisk({ path: launch.diskPath, sizeBytes: MIB, imagePath: '/images/x' });
  });

  it('fail the next launch only, and nothing runs then', async () => {
    machine.failNextLaunch(new DomainError('host_fault', 'injected'));
    await expect(driver.launch(launch)).rejects.toThrow('injected');
    expect(machine.processes.size).toBe(0);
    await driver.launch(launch);
    expect(machine.launches).toHaveLength(2);
  });

  it('fail the next disk only', async () => {
    machine.failNextDisk(new DomainError('host_fault', 'injected'));
    const disk = { path: '/disks/b', sizeBytes: MIB, imagePath: '/images/x' };
    await expect(driver.ensureDisk(disk)).rejects.toThrow('injected');
    await driver.ensureDisk(disk);
  });

  it('hang the monitor: time limits pass, the end still works, and another agent takes it over as it is', async () => {
    const vm = await driver.launch(launch);
    machine.processOf(vm.vmId).isHung = true;
    await expect(vm.queryPower()).rejects.toMatchObject({ code: 'deadline_exceeded' });
    const adopted = await new FakeDriver(machine).adopt(vm.vmId, launch.runDir);
    expect(adopted?.pid).toBe(vm.pid);
    await adopted?.end(1);
    expect((await vm.exited).reason).toBe('requested');
  });

  it('fail the next adoption only, and the process lives on', async () => {
    const vm = await driver.launch(launch);
    machine.failNextAdopt(new DomainError('host_fault', 'injected'));
    const next = new FakeDriver(machine);
    await expect(next.adopt(vm.vmId, launch.runDir)).rejects.toThrow('injected');
    expect((await next.adopt(vm.vmId, launch.runDir))?.pid).toBe(vm.pid);
  });

  it('stop a VM at a write, until it is resumed', async () => {
    const vm = await driver.launch(launch);
    const process = machine.processOf(vm.vmId);
    process.diskFault = { kind: 'full', detail: 'No space left on device' };
    process.changePowerUnasked('paused');
    expect(await vm.checkMonitor(1)).toEqual({ power: 'paused', diskFault: process.diskFault });
    await vm.resume();
    expect(await vm.checkMonitor(1)).toEqual({ power: 'running', diskFault: null });
  });

  it('pause a guest unasked: listeners hear it, released ones do not', async () => {
    const vm = await driver.launch(launch);
    const heard: string[] = [];
    vm.onPowerChange((power) => heard.push(power));
    machine.processOf(vm.vmId).changePowerUnasked('paused');
    await vm.release();
    machine.processOf(vm.vmId).changePowerUnasked('running');
    expect(heard).toEqual(['paused']);
  });

  it('make a guest ignore the power button', async () => {
    const vm = await driver.launch(launch);
    machine.processOf(vm.vmId).obeysPowerButton = false;
    await vm.pressPowerButton();
    expect(await vm.queryPower()).toBe('running');
  });

  it('hold a launch: of two at once one is refused', async () => {
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    machine.beforeLaunch = () => gate;
    const both = [driver.launch(launch), driver.launch(launch)];
    open();
    const outcomes = await Promise.allSettled(both);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(machine.processes.size).toBe(1);
  });
});
