import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { GIB, MIB, PLAIN_HARDWARE, type VmCpu, VmHardware } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ANYWHERE,
  CONSOLE_LOG_NAME,
  type HypervisorDriver,
  type LaunchSpec,
  type RunningVm,
  type VmThread,
} from '../../src/index.js';
import { describeConsoleContract } from './consoles.contract.js';
import { type DeviceSubject, describeDeviceContract, linuxHardware } from './devices.contract.js';
import { describeFirmwareContract, type FirmwareSubject, withFirmware } from './firmware.contract.js';
import { describeHoldContract } from './hold.contract.js';
import { describeTemplateContract, type TemplateSubject } from './templates.contract.js';
import { waitUntil } from './wait-until.js';

/** What a driver under the contract has to offer the suite. */
export interface DriverSubject extends DeviceSubject, FirmwareSubject, TemplateSubject {
  /** A short folder of its own. */
  readonly folder: string;
  /** A good image whose guest counts on its console and prints what is typed there, obeys the power button, has no balloon driver and no agent. */
  readonly imagePath: string;
  /**
   * A good image of a guest that says GUEST-UP on its console once its balloon driver is loaded, and runs a QEMU guest agent. Made
   * when asked for.
   */
  linuxImagePath(): Promise<string>;
  /** A file that is no qcow2 image. */
  readonly damagedImagePath: string;
  /** Makes the process end as by SIGKILL from elsewhere. */
  kill(vm: RunningVm): void;
  /** Makes the process stand still, as by SIGSTOP, and go on. */
  hang(vm: RunningVm): void;
  unhang(vm: RunningVm): void;
  /** Lets one thread of the process run on those CPUs, as a person with taskset would. */
  moveThread(vm: RunningVm, thread: VmThread, cpus: readonly number[]): void;
  close(): void | Promise<void>;
}

const DISK_BYTES = 8 * MIB;
/** Unparsed: the driver is to find out by itself. */
const withCpu = (cpu: Partial<VmCpu>): VmHardware => ({
  ...PLAIN_HARDWARE,
  cpu: { ...PLAIN_HARDWARE.cpu, ...cpu },
});
const MEMORY_BYTES = 64 * MIB;
const LINUX_MEMORY_BYTES = 128 * MIB;
const END_TIMEOUT_MS = 5_000;
const SHORT_MS = 300;
/** 8 s are usual under emulation. */
const LINUX_BOOT_MS_MAX = 90_000;

/** Of two CPUs, one for the vCPU and one for all else. */
const PINNED = { ...ANYWHERE, vcpuCpus: [1], otherCpus: [0] };
const ON_NODE_0 = { ...ANYWHERE, memoryNodes: [0, 0] };
const withMemory = (memory: Partial<VmHardware['memory']>): VmHardware => VmHardware.parse({ memory });

export function describeDriverContract(name: string, openSubject: () => DriverSubject): void {
  describe(`the driver contract: ${name}`, () => {
    let subject: DriverSubject;
    let driver: HypervisorDriver;
    beforeAll(() => {
      subject = openSubject();
      driver = subject.openDriver();
    });
    afterAll(() => subject.close());

    const diskOf = (id: string) => join(subject.folder, 'disks', `${id}.qcow2`);
    const specOf = (changes: Partial<LaunchSpec> = {}): LaunchSpec => {
      const vmId = changes.vmId ?? randomUUID();
      return {
        vmId,
        name: 'web',
        runDir: join(subject.folder, vmId.slice(0, 8)),
        epoch: 1,
        vcpuCount: 1,
        memoryBytes: MEMORY_BYTES,
        accelerator: 'tcg',
        diskPath: diskOf(vmId),
        machineType: 'pc-q35-10.0',
        hardware: PLAIN_HARDWARE,
        firmware: { folder: join(subject.folder, 'firmware', vmId), generationId: vmId },
        placement: ANYWHERE,
        isPaused: false,
        ...changes,
      };
    };
    const launch = async (changes: Partial<LaunchSpec> = {}): Promise<{ vm: RunningVm; spec: LaunchSpec }> => {
      const spec = specOf(changes);
      await driver.ensureDisk({ path: spec.diskPath, sizeBytes: DISK_BYTES, imagePath: subject.imagePath });
      return { vm: await driver.launch(spec), spec };
    };
    const consoleOf = ({ runDir }: LaunchSpec): string => {
      const path = join(runDir, CONSOLE_LOG_NAME);
      return existsSync(path) ? readFileSync(path, 'utf8') : '';
    };
    const waitForGuest = (vm: RunningVm, spec: LaunchSpec, counts = 1): Promise<void> =>
      waitUntil('the guest counting', async () => {
        await vm.queryPower();
        return (consoleOf(spec).match(/COUNT/g) ?? []).length >= counts;
      });
    const countsOf = (spec: LaunchSpec): number => (consoleOf(spec).match(/COUNT/g) ?? []).length;

    it('says what the host is, with evidence for each finding', async () => {
      const facts = await driver.observeHost();
      expect(facts.hostCpuCount).toBeGreaterThan(0);
      expect(facts.memoryBytes).toBeGreaterThan(GIB);
      expect(facts.numaNodes.flatMap((node) => node.cpus)).toHaveLength(facts.hostCpuCount);
      expect(facts.kvm.reason).not.toBe('');
    });

    describe('disks', () => {
      const spec = () => ({ path: diskOf(randomUUID()), sizeBytes: DISK_BYTES, imagePath: subject.imagePath });

      it('making the same disk twice changes nothing', async () => {
        const disk = spec();
        await driver.ensureDisk(disk);
        await driver.ensureDisk(disk);
        await driver.removeDisk(disk.path);
      });

      it('refuses to make a disk smaller', async () => {
        const disk = spec();
        await driver.ensureDisk(disk);
        await expect(driver.ensureDisk({ ...disk, sizeBytes: DISK_BYTES / 2 })).rejects.toMatchObject({
          code: 'conflict_state',
        });
        await driver.removeDisk(disk.path);
      });

      it('makes a disk larger, and one without an image empty', async () => {
        for (const imagePath of [subject.imagePath, null]) {
          const disk = { ...spec(), imagePath };
          await driver.ensureDisk(disk);
          await driver.ensureDisk({ ...disk, sizeBytes: DISK_BYTES * 2 });
          await expect(driver.ensureDisk(disk)).rejects.toMatchObject({ code: 'conflict_state' });
          await driver.removeDisk(disk.path);
        }
      });

      it('refuses a damaged image and leaves nothing', async () => {
        const disk = { ...spec(), imagePath: subject.damagedImagePath };
        await expect(driver.ensureDisk(disk)).rejects.toMatchObject({ code: 'image_invalid' });
        await driver.ensureDisk({ ...disk, imagePath: subject.imagePath });
        await driver.removeDisk(disk.path);
      });

      it('takes over a disk that came from elsewhere, once, if it rests on that image and is not larger', async () => {
        const made = spec();
        await driver.ensureDisk(made);
        const file = `${made.path}.incoming`;
        renameSync(made.path, file);
        const adopted = { file, path: diskOf(randomUUID()), imagePath: subject.imagePath, sizeBytesMax: DISK_BYTES };
        for (const wrong of [{ imagePath: null }, { sizeBytesMax: DISK_BYTES / 2 }])
          await expect(driver.adoptDisk({ ...adopted, ...wrong })).rejects.toMatchObject({ code: 'image_invalid' });
        await driver.adoptDisk(adopted);
        await driver.adoptDisk(adopted);
        await driver.ensureDisk({ ...made, path: adopted.path });
        await driver.removeDisk(adopted.path);
      });

      it('removing a disk that is not there is no error', async () => {
        await driver.removeDisk(diskOf(randomUUID()));
      });

      it.each([
        ['a relative path', { path: 'disk.qcow2' }],
        ['a path that climbs', { path: '/tmp/../etc/disk.qcow2' }],
        ['a NUL in the path', { path: '/tmp/a\0b' }],
        ['a size of nothing', { sizeBytes: 0 }],
        ['a size that is no whole MiB', { sizeBytes: DISK_BYTES + 1 }],
      ])('refuses %s', async (_what, changes) => {
        await expect(driver.ensureDisk({ ...spec(), ...changes })).rejects.toMatchObject({ code: 'invalid_request' });
      });
    });

    describe('launch', () => {
      it.each<[string, Partial<LaunchSpec>]>([
        ['a name with a comma', { name: 'web,id=x' }],
        ['an id that is none', { vmId: 'web' }],
        ['no vCPU', { vcpuCount: 0 }],
        ['memory that is no whole MiB', { memoryBytes: MEMORY_BYTES + 1 }],
        ['a run folder too long for sockets', { runDir: `/tmp/${'x'.repeat(60)}` }],
        ['a machine type without a version', { machineType: 'q35' }],
        ['a generation id that is none', { firmware: { folder: '/tmp/x', generationId: 'x' } }],
        ['a firmware folder that climbs', { firmware: { folder: '/tmp/../x', generationId: randomUUID() } }],
        ['Secure Boot under a BIOS', { hardware: withFirmware({ secureBoot: true }) }],
        ['fewer CPUs than vCPUs', { vcpuCount: 2, placement: { ...PINNED, vcpuCpus: [1] } }],
        ['a CPU for two vCPUs', { vcpuCount: 2, placement: { ...PINNED, vcpuCpus: [1, 1] } }],
        ['a CPU for a vCPU and for others', { placement: { ...PINNED, otherCpus: [0, 1] } }],
        ['no CPU for other threads', { placement: { ...PINNED, otherCpus: [] } }],
        ['a CPU that cannot be', { placement: { ...PINNED, vcpuCpus: [-1] } }],
        ['more NUMA nodes than vCPUs', { hardware: withMemory({ numaNodeCount: 2 }) }],
        ['nodes for another guest', { placement: { ...ANYWHERE, memoryNodes: [0, 0] } }],
        ['a node that cannot be', { placement: { ...ANYWHERE, memoryNodes: [1024] } }],
        ['huge pages that do not divide the memory', { hardware: withMemory({ hugePageBytes: GIB }) }],
        [
          'a topology that is not as many vCPUs',
          { hardware: withCpu({ topology: { sockets: 2, cores: 1, threads: 1 } }) },
        ],
        ['a CPU model with an option in it', { hardware: withCpu({ model: 'max,enforce=off-v1' }) }],
        ['a CPU model without a version', { hardware: withCpu({ model: 'Haswell' }) }],
        ['the model host under emulation', { hardware: withCpu({ model: 'host' }) }],
      ])('refuses %s', async (_what, changes) => {
        await expect(driver.launch(specOf(changes))).rejects.toMatchObject({ code: 'invalid_request' });
      });

      it.each<[string, Partial<VmCpu>]>([
        ['a CPU model that QEMU does not know', { model: 'Pentium-Imaginary-v9' }],
        ['nested virtualisation under emulation', { nestedVirtualisation: true }],
      ])('refuses %s, and nothing runs', async (_what, cpu) => {
        const spec = specOf({ hardware: withCpu(cpu) });
        await driver.ensureDisk({ path: spec.diskPath, sizeBytes: DISK_BYTES, imagePath: subject.imagePath });
        await expect(driver.launch(spec)).rejects.toMatchObject({ code: 'conflict_state' });
        expect(await driver.adopt(spec.vmId, spec.runDir)).toBeNull();
      });

      it('runs each model that the host says it can run', async () => {
        const { cpu } = await driver.observeHost();
        const models = cpu.find(({ accelerator }) => accelerator === 'tcg')?.models.map(({ name }) => name) ?? [];
        expect(models).toEqual(expect.arrayContaining(['Nehalem-v1', 'qemu64-v1', 'x86-64-v2', 'x86-64-v3']));
        for (const model of ['Nehalem-v1', 'x86-64-v3']) {
          const topology = { sockets: 1, cores: 1, threads: 2 };
          const { vm, spec } = await launch({ vcpuCount: 2, hardware: withCpu({ model, topology }), isPaused: true });
          expect(await vm.queryPower()).toBe('paused');
          await driver.sweep(vm.vmId, spec.runDir);
        }
      });

      it('refuses a disk that is not there, and nothing runs', async () => {
        const spec = specOf();
        await expect(driver.launch(spec)).rejects.toMatchObject({ code: 'host_fault' });
        expect(await driver.adopt(spec.vmId, spec.runDir)).toBeNull();
      });

      it('runs the guest, once', async () => {
        const { vm, spec } = await launch();
        expect(await vm.queryPower()).toBe('running');
        await waitForGuest(vm, spec);
        await expect(driver.launch(spec)).rejects.toMatchObject({ code: 'conflict_state' });
        expect(await vm.queryPower()).toBe('running');
        await driver.sweep(vm.vmId, spec.runDir);
      });

      it('starts paused when asked to: the guest says nothing until it is resumed', async () => {
        const { vm, spec } = await launch({ isPaused: true });
        expect(await vm.queryPower()).toBe('paused');
        expect(consoleOf(spec)).not.toContain('COUNT');
        await vm.resume();
        await waitForGuest(vm, spec);
        await driver.sweep(vm.vmId, spec.runDir);
      });
    });

    describe('the CPUs of a VM', () => {
      const cpusOf = async (vm: RunningVm, isVcpu: boolean): Promise<number[][]> => {
        const threads = (await vm.queryThreads()).filter(({ vcpuIndex }) => (vcpuIndex !== null) === isVcpu);
        const sets = new Set(threads.map(({ cpus }) => cpus.join(',')));
        return [...sets].map((text) => text.split(',').map(Number));
      };

      it('are its own for each vCPU, and no other thread runs there', async () => {
        const { vm, spec } = await launch({ placement: PINNED });
        await waitForGuest(vm, spec);
        expect(await cpusOf(vm, true)).toEqual([[1]]);
        expect(await cpusOf(vm, false)).toEqual([[0]]);
        const ids = (await vm.queryThreads()).map(({ threadId }) => threadId);
        expect(new Set(ids).size).toBe(ids.length);
        expect(ids.length).toBeGreaterThan(1);
        await driver.sweep(vm.vmId, spec.runDir);
      });

      it('that it shares can be changed while it runs, also while its monitor hangs', async () => {
        const { vm, spec } = await launch({ vcpuCount: 2, placement: { ...ANYWHERE, otherCpus: [0, 1] } });
        expect(await vm.placeThreads({ vcpuCpus: [], otherCpus: [0, 1] })).toBe(0);
        subject.hang(vm);
        expect(await vm.placeThreads({ vcpuCpus: [], otherCpus: [0] })).toBeGreaterThan(2);
        subject.unhang(vm);
        expect([...(await cpusOf(vm, true)), ...(await cpusOf(vm, false))]).toEqual([[0], [0]]);
        await expect(vm.placeThreads({ vcpuCpus: [], otherCpus: [8000] })).rejects.toMatchObject({
          code: 'host_fault',
        });
        await driver.sweep(vm.vmId, spec.runDir);
      });

      it('are seen when somebody moves a thread, and put right', async () => {
        const { vm, spec } = await launch({ placement: PINNED });
        const [thread] = (await vm.queryThreads()).filter(({ vcpuIndex }) => vcpuIndex === 0);
        if (thread === undefined) throw new Error('the VM has no vCPU');
        subject.moveThread(vm, thread, [0, 1]);
        expect(await cpusOf(vm, true)).toEqual([[0, 1]]);
        expect(await vm.placeThreads(PINNED)).toBe(1);
        expect(await cpusOf(vm, true)).toEqual([[1]]);
        await driver.sweep(vm.vmId, spec.runDir);
      });
    });

    describe('the memory a VM takes of its host', () => {
      it.each([
        ['ordinary', 1, {}, ANYWHERE],
        ['of two nodes, bound to one of the host', 2, { numaNodeCount: 2, isPreallocated: true }, ON_NODE_0],
      ] as const)('%s, is told apart from what the hypervisor takes', async (_what, vcpuCount, memory, placement) => {
        const { vm, spec } = await launch({ vcpuCount, hardware: withMemory(memory), placement });
        await waitForGuest(vm, spec);
        const use = await vm.measureMemory();
        expect(use?.guestBytes).toBeGreaterThan(0);
        expect(use?.guestBytes).toBeLessThanOrEqual(MEMORY_BYTES);
        expect(use?.overheadBytes).toBeGreaterThan(0);
        await driver.sweep(vm.vmId, spec.runDir);
      });
    });

    describe('a running VM', () => {
      it('pauses and resumes, and does not announce what was asked for', async () => {
        const { vm, spec } = await launch();
        const heard: string[] = [];
        vm.onPowerChange((power) => heard.push(power));
        await vm.pause();
        await vm.pause();
        expect(await vm.queryPower()).toBe('paused');
        await vm.resume();
        expect(await vm.queryPower()).toBe('running');
        expect(heard).toEqual([]);
        await driver.sweep(vm.vmId, spec.runDir);
      });

      it('answers a sign of life; none comes while it hangs, and one when it goes on', async () => {
        const { vm, spec } = await launch();
        expect(await vm.checkMonitor(END_TIMEOUT_MS)).toEqual({ power: 'running', diskFault: null });
        subject.hang(vm);
        for (const _ of [1, 2, 3]) {
          await expect(vm.checkMonitor(SHORT_MS)).rejects.toMatchObject({ code: 'deadline_exceeded' });
        }
        subject.unhang(vm);
        expect(await vm.checkMonitor(END_TIMEOUT_MS)).toEqual({ power: 'running', diskFault: null });
        await driver.sweep(vm.vmId, spec.runDir);
      });

      it('starts anew after a reset, in the same process', async () => {
        const { vm, spec } = await launch();
        await waitForGuest(vm, spec, 2);
        const ups = () => (consoleOf(spec).match(/GUEST UP/g) ?? []).length;
        const before = ups();
        await vm.reset();
        await waitUntil('the second start', () => ups() > before);
        expect((await driver.adopt(vm.vmId, spec.runDir))?.pid).toBe(vm.pid);
        await driver.sweep(vm.vmId, spec.runDir);
      });

      it('a guest that obeys the power button ends by itself', async () => {
        const { vm, spec } = await launch();
        await waitForGuest(vm, spec);
        await vm.pressPowerButton();
        expect((await vm.exited).reason).toBe('guest-shutdown');
        expect(await driver.readExit(vm.vmId, spec.runDir)).toMatchObject({
          epoch: 1,
          exit: { reason: 'guest-shutdown' },
        });
      });

      it('ends when it is told to, twice without harm', async () => {
        const { vm, spec } = await launch();
        await Promise.all([vm.end(END_TIMEOUT_MS), vm.end(END_TIMEOUT_MS)]);
        await vm.end(END_TIMEOUT_MS);
        expect((await vm.exited).reason).toBe('requested');
        expect(await driver.adopt(vm.vmId, spec.runDir)).toBeNull();
      });

      it('tells of a crash, and refuses everything afterwards', async () => {
        const { vm, spec } = await launch();
        subject.kill(vm);
        const exit = await vm.exited;
        expect(exit.reason).toBe('crash');
        expect(exit.detail).toContain('SIGKILL');
        const calls = [
          vm.queryPower(),
          vm.pause(),
          vm.resume(),
          vm.reset(),
          vm.pressPowerButton(),
          vm.queryBalloon(),
          vm.setBalloon(MEMORY_BYTES),
          vm.queryThreads(),
          vm.placeThreads(PINNED),
          vm.measureMemory(),
          vm.pingGuest(100),
          vm.checkMonitor(100),
          vm.pollMemoryStats(1),
          vm.queryMemoryStats(),
          vm.isMigrating(),
          vm.ensureMachine(spec),
          vm.consoles.writeSerial(Buffer.from('x')),
          vm.consoles.openDisplay(),
          vm.consoles.takeScreenshot(),
          vm.guest.queryInterfaces(100),
          vm.guest.thaw(100),
        ];
        const outcomes = await Promise.allSettled(calls);
        for (const outcome of outcomes) {
          expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'guest_fault' } });
        }
        expect(await driver.readExit(vm.vmId, spec.runDir)).toMatchObject({ exit: { reason: 'crash' } });
      });

      it('starts again in the same folder after it ended; the console log goes on', async () => {
        const { vm, spec } = await launch();
        await waitForGuest(vm, spec);
        await vm.end(END_TIMEOUT_MS);
        const before = countsOf(spec);
        const again = await driver.launch({ ...spec, epoch: 2 });
        expect(again.epoch).toBe(2);
        await waitForGuest(again, spec, before + 1);
        expect(await driver.readExit(vm.vmId, spec.runDir)).toBeNull();
        await driver.sweep(vm.vmId, spec.runDir);
      });

      it('says what the balloon says, and refuses targets out of bounds', async () => {
        const { vm, spec } = await launch();
        expect(await vm.queryBalloon()).toBe(MEMORY_BYTES);
        const actual = await vm.setBalloon(MEMORY_BYTES / 2);
        expect(actual).toBe(MEMORY_BYTES);
        for (const target of [0, -1, 1.5, Number.NaN, MEMORY_BYTES + 1]) {
          await expect(vm.setBalloon(target)).rejects.toMatchObject({ code: 'invalid_request' });
        }
        await driver.sweep(vm.vmId, spec.runDir);
      });
    });

    /** Booted once, when first asked for; the last test ends it. */
    let linux: ReturnType<typeof bootLinux> | undefined;
    const bootLinux = async (): Promise<{ vm: RunningVm; spec: LaunchSpec }> => {
      const spec = specOf({ memoryBytes: LINUX_MEMORY_BYTES, hardware: linuxHardware(LINUX_MEMORY_BYTES) });
      const imagePath = await subject.linuxImagePath();
      await driver.ensureDisk({ path: spec.diskPath, sizeBytes: 48 * MIB, imagePath });
      const vm = await driver.launch(spec);
      await waitUntil('the guest', () => /GUEST[- ]UP/.test(consoleOf(spec)), LINUX_BOOT_MS_MAX);
      return { vm, spec };
    };
    const linuxGuest = () => {
      linux ??= bootLinux();
      return linux;
    };
    describeHoldContract({ launch, openDriver: () => subject.openDriver() });
    describeConsoleContract({
      ...{ launch, consoleOf, waitForGuest, linuxGuest },
      openDriver: () => subject.openDriver(),
      withDisplay: () => ({ hardware: { ...PLAIN_HARDWARE, display: { kind: 'vga' } } }),
    });

    describeFirmwareContract(() => ({
      ...{ subject, diskBytes: DISK_BYTES, driver: () => driver },
      ...{ specOf, launch, waitForGuest, countsOf },
    }));
    describeTemplateContract(() => ({
      ...{ subject, diskBytes: DISK_BYTES, driver: () => driver },
      ...{ specOf, launch, consoleOf },
    }));
    describeDeviceContract({
      driver: () => driver,
      folder: () => subject.folder,
      launch,
      linuxGuest,
      see: (vm) => subject.see(vm),
      makeLayers: (paths, sizeBytes) => subject.makeLayers(paths, sizeBytes),
      expectContent: (path, baseName) => subject.expectContent(path, baseName),
      medium: () => ({ path: subject.imagePath, sha256: 'a'.repeat(64), virtualBytes: MIB }),
    });

    describe('the memory of a guest', () => {
      it('without a balloon driver: no statistics, and the balloon does not follow', async () => {
        const { vm, spec } = await launch();
        await waitForGuest(vm, spec);
        await vm.pollMemoryStats(1);
        await vm.setBalloon(MEMORY_BYTES / 2);
        expect(await vm.queryMemoryStats()).toBeNull();
        expect(await vm.queryBalloon()).toBe(MEMORY_BYTES);
        expect(await vm.isMigrating()).toBe(false);
        await driver.sweep(vm.vmId, spec.runDir);
      });

      it.each([0, -1, 1.5, Number.NaN, 3601])('refuses statistics every %s seconds', async (intervalS) => {
        const { vm, spec } = await launch();
        await expect(vm.pollMemoryStats(intervalS)).rejects.toMatchObject({ code: 'invalid_request' });
        await driver.sweep(vm.vmId, spec.runDir);
      });

      it('with a balloon driver: it says what it uses, gives, and gets back, also under a restarted agent', async () => {
        const memoryBytes = LINUX_MEMORY_BYTES;
        const { vm, spec } = await linuxGuest();
        await vm.pollMemoryStats(1);
        const startedAtMs = Date.now();
        const fresh = async (of: RunningVm) => {
          const stats = await of.queryMemoryStats();
          return stats !== null && stats.updatedAtMs >= startedAtMs - 1000 ? stats : null;
        };
        await waitUntil('statistics', async () => (await fresh(vm)) !== null);
        const full = await fresh(vm);
        const numbers = [full?.totalBytes, full?.freeBytes, full?.availableBytes, full?.diskCacheBytes];
        for (const bytes of numbers) expect(bytes).toBeTypeOf('number');
        expect(full?.totalBytes).toBeLessThanOrEqual(memoryBytes);
        expect(full?.availableBytes).toBeLessThan(full?.totalBytes ?? 0);
        const target = memoryBytes - 16 * MIB;
        await vm.setBalloon(target);
        await waitUntil('the balloon', async () => (await vm.queryBalloon()) === target);
        await waitUntil('less in the guest', async () => {
          const { availableBytes } = (await vm.queryMemoryStats()) ?? {};
          return (availableBytes ?? 0) < (full?.availableBytes ?? 0) - 8 * MIB;
        });
        await vm.release();
        const adopted = await subject.openDriver().adopt(spec.vmId, spec.runDir);
        if (adopted === null) throw new Error('the VM was not found');
        await adopted.pollMemoryStats(1);
        expect(await adopted.queryBalloon()).toBe(target);
        expect(await adopted.queryMemoryStats()).not.toBeNull();
        await adopted.setBalloon(memoryBytes);
        await waitUntil('all of it again', async () => (await adopted.queryBalloon()) === memoryBytes);
        await adopted.end(END_TIMEOUT_MS);
      });
    });

    describe('a restarted agent', () => {
      it('finds the VM again with its epoch, and the guest has never stopped', async () => {
        const { vm, spec } = await launch({ epoch: 7 });
        await waitForGuest(vm, spec, 2);
        const before = countsOf(spec);
        await vm.release();
        await expect(vm.queryPower()).rejects.toMatchObject({ code: 'conflict_state' });
        const next = subject.openDriver();
        const adopted = await next.adopt(spec.vmId, spec.runDir);
        if (adopted === null) throw new Error('the VM was not found');
        expect(adopted).toMatchObject({ vmId: spec.vmId, epoch: 7, pid: vm.pid, accelerator: 'tcg' });
        await waitForGuest(adopted, spec, before + 2);
        expect(consoleOf(spec).match(/GUEST UP/g)).toHaveLength(1);
        await adopted.pressPowerButton();
        expect((await adopted.exited).reason).toBe('guest-shutdown');
      });

      it('is told by readExit how a VM ended that nobody watched', async () => {
        const { vm, spec } = await launch();
        await vm.release();
        subject.kill(vm);
        const next = subject.openDriver();
        await waitUntil('the end', async () => (await next.readExit(spec.vmId, spec.runDir)) !== null);
        expect(await next.adopt(spec.vmId, spec.runDir)).toBeNull();
        expect(await next.readExit(spec.vmId, spec.runDir)).toMatchObject({ epoch: 1, exit: { reason: 'crash' } });
      });

      it('takes over a VM that hangs, without harm to it, and controls it when it answers again', async () => {
        const { vm, spec } = await launch({ epoch: 3 });
        await waitForGuest(vm, spec, 2);
        await vm.release();
        subject.hang(vm);
        const adopted = await subject.openDriver().adopt(spec.vmId, spec.runDir);
        if (adopted === null) throw new Error('the VM was not found');
        expect(adopted).toMatchObject({ vmId: spec.vmId, epoch: 3, pid: vm.pid });
        await expect(adopted.checkMonitor(SHORT_MS)).rejects.toMatchObject({ code: 'deadline_exceeded' });
        subject.unhang(vm);
        await waitUntil('an answer', async () => (await adopted.checkMonitor(SHORT_MS).catch(() => null)) !== null);
        const before = countsOf(spec);
        await waitForGuest(adopted, spec, before + 1);
        expect(consoleOf(spec).match(/GUEST UP/g)).toHaveLength(1);
        await adopted.end(END_TIMEOUT_MS);
      });

      it('ends a VM that hangs when it is told to', async () => {
        const { vm, spec } = await launch();
        await vm.release();
        subject.hang(vm);
        const next = subject.openDriver();
        const adopted = await next.adopt(spec.vmId, spec.runDir);
        await adopted?.end(SHORT_MS);
        expect(await adopted?.exited).toMatchObject({ reason: 'requested' });
        expect(await next.adopt(spec.vmId, spec.runDir)).toBeNull();
      });

      it('finds nothing where nothing was', async () => {
        const spec = specOf();
        expect(await driver.adopt(spec.vmId, spec.runDir)).toBeNull();
        expect(await driver.readExit(spec.vmId, spec.runDir)).toBeNull();
        await driver.sweep(spec.vmId, spec.runDir);
      });

      it('sweeps a VM that it has never seen; the console log stays', async () => {
        const { vm, spec } = await launch();
        await waitForGuest(vm, spec);
        await vm.release();
        const next = subject.openDriver();
        await next.sweep(spec.vmId, spec.runDir);
        expect(await next.adopt(spec.vmId, spec.runDir)).toBeNull();
        expect(consoleOf(spec)).toContain('COUNT');
      });
    });
  });
}
