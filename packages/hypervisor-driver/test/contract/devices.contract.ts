import { randomUUID } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { MIB, type NicId, PLAIN_HARDWARE, VmDevices, type VmHardware, type VolumeId } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import type { HypervisorDriver, LaunchSpec, MachineSpec, RunningVm, VmThread } from '../../src/index.js';
import { waitUntil } from './wait-until.js';

const vcpusOf = (threads: readonly VmThread[]): readonly VmThread[] =>
  threads.filter(({ vcpuIndex }) => vcpuIndex !== null);

/** What a guest says of the machine it is in. */
export interface SeenMachine {
  readonly vcpuCount: number;
  readonly memoryBytes: number;
  /** Of its disks, the root disk first. */
  readonly diskBytes: readonly number[];
  readonly macAddresses: readonly string[];
  /** Null: there is nothing in its drive. */
  readonly mediumBytes: number | null;
}

/** What a driver under the contract has to offer for devices. */
export interface DeviceSubject {
  /** What its guest says of the machine it is in; for the one that linuxImagePath boots. */
  see(vm: RunningVm): Promise<SeenMachine>;
  /** Layers of one disk, each resting on the next; the last but one has content. */
  makeLayers(paths: readonly string[], sizeBytes: number): void;
  /** That content is seen through the file, which is sound and names `baseName` as what it rests on. */
  expectContent(path: string, baseName: string): void;
}

export interface LentForDevices extends DeviceSubject {
  driver(): HypervisorDriver;
  /** Where disks may lie. */
  folder(): string;
  launch(changes?: Partial<LaunchSpec>): Promise<{ vm: RunningVm; spec: LaunchSpec }>;
  /** Runs Linux with `LINUX_DEVICES`. */
  linuxGuest(): Promise<{ vm: RunningVm; spec: LaunchSpec }>;
  /** A good image, with its size as a guest sees it. */
  medium(): { path: string; sha256: string; virtualBytes: number };
}

const HOT_BYTES = 64 * MIB;
/** Under emulation on a busy machine a guest may take a minute to look at what was plugged in. */
const SEEN_MS_MAX = 90_000;
export const withDevices = (devices: Partial<VmHardware['devices']>): VmHardware => ({
  ...PLAIN_HARDWARE,
  devices: VmDevices.parse(devices),
});
/** The one Linux guest of the suite has room to grow, and a drive. */
export const linuxHardware = (memoryBytes: number): VmHardware =>
  withDevices({
    maxVcpuCount: 2,
    maxMemoryBytes: memoryBytes + HOT_BYTES,
    cdroms: [{ name: 'cdrom-1', imageId: null, imageSha256: null }],
  });

export function describeDeviceContract(lent: LentForDevices): void {
  describe('a machine that changes while it runs', () => {
    const change = (spec: LaunchSpec, devices: Partial<VmHardware['devices']>, sizes: Partial<MachineSpec> = {}) => ({
      ...spec,
      ...sizes,
      hardware: { ...spec.hardware, devices: VmDevices.parse({ ...spec.hardware.devices, ...devices }) },
    });
    const diskPlan = (sizeBytes = 8 * MIB, slot = 1) =>
      VmDevices.parse({ dataDisks: [{ id: randomUUID() as VolumeId, sizeBytes, slot }] }).dataDisks;
    const seen = (vm: RunningVm, what: string, isSeen: (machine: SeenMachine) => boolean) =>
      waitUntil(what, async () => isSeen(await lent.see(vm)), SEEN_MS_MAX);

    it('is what it is: asking for that changes nothing', async () => {
      const { vm, spec } = await lent.launch();
      await vm.ensureMachine(spec);
      await vm.ensureMachine(spec);
      expect(await vm.queryPower()).toBe('running');
      await lent.driver().sweep(vm.vmId, spec.runDir);
    });

    it.each<[what: string, sizes: Partial<MachineSpec>, devices: Partial<VmHardware['devices']>, code: string]>([
      ['more vCPUs than it has places for', { vcpuCount: 2 }, {}, 'conflict_state'],
      ['no vCPU', { vcpuCount: 0 }, {}, 'invalid_request'],
      ['memory without room', { memoryBytes: 96 * MIB }, {}, 'conflict_state'],
      ['memory below nothing', { memoryBytes: -1 }, {}, 'invalid_request'],
      ['memory beyond its own limit', { memoryBytes: 96 * MIB }, { maxMemoryBytes: 80 * MIB }, 'invalid_request'],
      ['a disk without a file', {}, { dataDisks: diskPlan() }, 'invalid_request'],
      ['a drive that it has not', {}, { cdroms: [{ name: 'b', imageId: null, imageSha256: null }] }, 'conflict_state'],
    ])('refuses %s, and goes on as it was', async (_what, sizes, devices, code) => {
      const { vm, spec } = await lent.launch();
      await expect(vm.ensureMachine(change(spec, devices, sizes))).rejects.toMatchObject({ code });
      await vm.ensureMachine(spec);
      await lent.driver().sweep(vm.vmId, spec.runDir);
    });

    it('gets vCPUs and memory, and gives the memory back', async () => {
      const { vm, spec } = await lent.linuxGuest();
      const before = await lent.see(vm);
      const memoryBytes = spec.memoryBytes + HOT_BYTES;
      const grown = change(spec, {}, { vcpuCount: 2, memoryBytes });
      await vm.ensureMachine(grown);
      await vm.ensureMachine(grown);
      await seen(vm, 'the second vCPU', ({ vcpuCount }) => vcpuCount === 2);
      await seen(vm, 'more memory', (now) => now.memoryBytes >= before.memoryBytes + HOT_BYTES / 2);
      expect(vcpusOf(await vm.queryThreads())).toHaveLength(2);
      expect(await vm.queryBalloon()).toBe(memoryBytes);
      await vm.ensureMachine(change(spec, {}, { vcpuCount: 2 }));
      expect(await vm.queryBalloon()).toBe(spec.memoryBytes);
      // Emulation cannot let go of a vCPU: refused, and nothing is harmed.
      await expect(vm.ensureMachine(spec)).rejects.toMatchObject({ code: 'conflict_state' });
      expect(vcpusOf(await vm.queryThreads())).toHaveLength(2);
    });

    it('gets a disk that grows and is limited, a network card, and is rid of them', async () => {
      const { vm, spec } = await lent.linuxGuest();
      const [disk] = diskPlan();
      if (disk === undefined) throw new TypeError('there is a disk');
      const path = join(dirname(spec.diskPath), `${disk.id}.qcow2`);
      await lent.driver().ensureDisk({ path, sizeBytes: disk.sizeBytes, imagePath: null });
      const attachments = { disks: { [String(disk.id)]: path }, media: {} };
      const nic = {
        id: randomUUID() as NicId,
        macAddress: '02:00:00:00:00:07',
        backend: { kind: 'isolated' as const },
        slot: 2,
      };
      const sizes = { vcpuCount: 2, attachments };
      const withBoth = change(spec, { dataDisks: [disk], nics: [nic] }, sizes);
      await vm.ensureMachine(withBoth);
      await vm.ensureMachine(withBoth);
      await seen(vm, 'the disk', ({ diskBytes }) => diskBytes[1] === disk.sizeBytes);
      await seen(vm, 'the card', ({ macAddresses }) => macAddresses.includes(nic.macAddress));
      const throttle = { iops: 100, bytesPerSecond: MIB };
      const larger = { ...disk, sizeBytes: 2 * disk.sizeBytes, throttle };
      const rootDisk = { poolId: null, sizeBytes: 64 * MIB, throttle };
      const grown = change(spec, { dataDisks: [larger], nics: [nic], rootDisk }, sizes);
      await vm.ensureMachine(grown);
      await seen(
        vm,
        'larger disks',
        ({ diskBytes }) => diskBytes[0] === rootDisk.sizeBytes && diskBytes[1] === larger.sizeBytes,
      );
      const bare = change(spec, { rootDisk }, { vcpuCount: 2 });
      await vm.ensureMachine(bare);
      await vm.ensureMachine(bare);
      await seen(vm, 'neither', ({ diskBytes, macAddresses }) => diskBytes.length === 1 && macAddresses.length === 0);
      await lent.driver().removeDisk(path);
    });

    it('turns its disks to overlays at one instant, all or none, and once', async () => {
      const disks = [...diskPlan(8 * MIB, 1), ...diskPlan(8 * MIB, 2)];
      const folder = lent.folder();
      const path = (id: unknown, name: string) => join(folder, `${id}-${name}.qcow2`);
      const sizeBytes = 8 * MIB;
      for (const { id } of disks) {
        await lent.driver().ensureDisk({ path: path(id, 'base'), sizeBytes, imagePath: null });
        await lent.driver().ensureDisk({ path: path(id, 'top'), sizeBytes, imagePath: path(id, 'base') });
      }
      const files = Object.fromEntries(disks.map(({ id }) => [String(id), path(id, 'base')]));
      const { vm, spec } = await lent.launch({
        hardware: withDevices({ dataDisks: disks }),
        attachments: { disks: files, media: {} },
      });
      const switches = disks.map(({ id }) => ({
        diskId: String(id),
        basePath: path(id, 'base'),
        path: path(id, 'top'),
      }));
      const [first, second] = switches as [(typeof switches)[0], (typeof switches)[0]];
      const wrong = [first, { ...second, basePath: path('another', 'base') }];
      await expect(vm.switchDisks(wrong)).rejects.toMatchObject({ code: 'conflict_state' });
      for (const bad of [[first, first], [{ ...first, path: 'top.qcow2' }]]) {
        await expect(vm.switchDisks(bad)).rejects.toMatchObject({ code: 'invalid_request' });
      }
      for (let time = 0; time < 2; time += 1) await vm.switchDisks(switches);
      // What it writes to now is the overlay: from the former file nothing can be turned any more.
      const late = { ...first, path: path(first.diskId, 'late') };
      await lent.driver().ensureDisk({ path: late.path, sizeBytes, imagePath: late.basePath });
      const next = { ...first, basePath: first.path, path: path(first.diskId, 'next') };
      await lent.driver().ensureDisk({ path: next.path, sizeBytes, imagePath: null });
      await vm.switchDisks([next]);
      const attachments = {
        disks: { ...files, [first.diskId]: next.path, [second.diskId]: second.path },
        bases: { [first.diskId]: [next.basePath, first.basePath], [second.diskId]: [second.basePath] },
        media: {},
      };
      await vm.ensureMachine({ ...spec, attachments });
      await lent.driver().sweep(vm.vmId, spec.runDir);
    });

    it('has layers of a disk merged that it does not write to, as often as asked, and after a merge was broken off', async () => {
      const [disk] = diskPlan();
      if (disk === undefined) throw new TypeError('there is a disk');
      const diskId = String(disk.id);
      const [above, child, base] = ['above', 'child', 'base'].map((name) =>
        join(lent.folder(), `${diskId}-${name}.qcow2`),
      );
      if (above === undefined || child === undefined || base === undefined) throw new TypeError('there are three');
      lent.makeLayers([above, child, base], disk.sizeBytes);
      const { vm, spec } = await lent.launch({
        hardware: withDevices({ dataDisks: [disk] }),
        attachments: { disks: { [diskId]: above }, bases: { [diskId]: [child, base] }, media: {} },
      });
      const merge = { diskId, abovePath: above, childPath: child, basePath: base, baseName: basename(base) };
      const slow = { ...merge, bytesPerSecond: MIB };
      await expect(vm.mergeLayer({ ...slow, childPath: base })).rejects.toMatchObject({ code: 'invalid_request' });
      await expect(vm.mergeLayer({ ...slow, bytesPerSecond: 0 })).rejects.toMatchObject({ code: 'invalid_request' });
      await expect(vm.mergeLayer({ ...slow, diskId: randomUUID() })).rejects.toMatchObject({ code: 'conflict_state' });
      await vm.endMerges(diskId);
      expect(await vm.mergeLayer(slow)).toMatchObject({ state: 'running' });
      await vm.endMerges(diskId);
      await vm.ensureMachine(spec);
      const quick = { ...merge, bytesPerSecond: 1024 * MIB };
      await waitUntil('the merge', async () => (await vm.mergeLayer(quick)).state === 'merged', SEEN_MS_MAX);
      expect(await vm.mergeLayer(quick)).toEqual({ state: 'merged' });
      await vm.endMerges(diskId);
      await vm.ensureMachine({ ...spec, attachments: { ...spec.attachments, bases: { [diskId]: [base] } } as never });
      await lent.driver().sweep(vm.vmId, spec.runDir);
      lent.expectContent(above, basename(base));
    });

    it('gets a medium into its drive, and an empty drive again', async () => {
      const { vm, spec } = await lent.linuxGuest();
      const { path, sha256, virtualBytes } = lent.medium();
      const rootDisk = { poolId: null, sizeBytes: 64 * MIB, throttle: { iops: null, bytesPerSecond: null } };
      const loaded = change(
        spec,
        { rootDisk, cdroms: [{ name: 'cdrom-1', imageId: null, imageSha256: sha256 }] },
        { vcpuCount: 2, attachments: { disks: {}, media: { [sha256]: path } } },
      );
      await vm.ensureMachine(loaded);
      await vm.ensureMachine(loaded);
      await seen(vm, 'the medium', ({ mediumBytes }) => mediumBytes === virtualBytes);
      await vm.ensureMachine(change(spec, { rootDisk }, { vcpuCount: 2 }));
      await seen(vm, 'an empty drive', ({ mediumBytes }) => mediumBytes === null);
    });
  });
}
