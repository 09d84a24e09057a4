import { createHash, randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openLvmThinPool, type StoragePool, type Turn } from '@kvorum/host-storage';
import { ANYWHERE, type LaunchSpec, openQemuDriver, type RunningVm, VM_UIDS } from '@kvorum/hypervisor-driver';
import { GIB, MIB, PLAIN_HARDWARE, VmDevices, type VolumeId } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeLvm } from '../../packages/host-storage/test/lvm/fake-lvm.js';
import { readMibs } from '../../packages/host-storage/test/volume-bytes.js';
import { guestImage } from '../support/guest-images.js';
import { makeScratchFolder } from '../support/scratch-folder.js';
import { eventually } from './eventually.js';

const DATA_MIB = 4;
const ANSWER_MS = 60_000;
const GUEST_MS = 200_000;
const SECTOR_BYTES = 512;
const [A, B] = ['a'.charCodeAt(0), 'b'.charCodeAt(0)];
const ownerId = randomUUID();
const [rootId, dataId, imageId] = [randomUUID(), randomUUID(), randomUUID()];

/**
 * Real QEMU with a real guest on real block devices, under the real pool. LVM itself is simulated over loop devices, as there may be no
 * device-mapper. Needs root.
 */
describe.skipIf(process.getuid?.() !== 0)('a VM whose disks are block devices of a thin pool', () => {
  const scratch = makeScratchFolder();
  const driver = openQemuDriver({ vmUids: VM_UIDS });
  const snapshotId = randomUUID();
  let lvm: FakeLvm;
  let pool: StoragePool;
  let spec: LaunchSpec;
  let vm: RunningVm;

  const deviceOf = async (volumeId: string): Promise<{ devicePath: string }> => {
    const { source } = await pool.claimVolume(volumeId, 1);
    if (source.kind !== 'device') throw new TypeError('a thin pool gives devices');
    return { devicePath: source.path };
  };
  const hardwareOf = (dataMib: number): LaunchSpec['hardware'] => ({
    ...PLAIN_HARDWARE,
    devices: VmDevices.parse({ dataDisks: [{ id: dataId as VolumeId, sizeBytes: dataMib * MIB, slot: 1 }] }),
  });
  const run = async (script: string): Promise<string> => {
    const id = await vm.guest.startCommand({ program: 'sh', args: ['-c', script], input: null }, ANSWER_MS);
    return eventually(script, GUEST_MS, async () => {
      const status = await vm.guest.pollCommand(id, ANSWER_MS);
      return status.hasEnded && Buffer.from(status.stdout).toString().trim();
    });
  };
  const fill = (mib: number, letter: string) =>
    run(
      `head -c 1048576 /dev/zero | tr '\\0' ${letter} | dd of=/dev/vdb bs=1M seek=${mib} conv=fsync 2>&1; echo ended`,
    );
  /** What an agent does: all of the snapshots while the guest stands still. */
  const turn = (turns: readonly Turn[]) =>
    vm.holdStill(async () => {
      for (const one of turns) {
        if (one.kind !== 'still') throw new TypeError('a thin pool makes its snapshots itself');
        expect(await vm.queryPower()).toBe('paused');
        await one.take();
      }
    });

  beforeAll(async () => {
    chmodSync(scratch.path, 0o711);
    const root = realpathSync(scratch.path);
    lvm = new FakeLvm(join(root, 'lvm'), 'vms', { name: 'thin', sizeBytes: 4 * GIB, usesLoops: true });
    pool = await openLvmThinPool({
      ...{ poolId: null, hostId: randomUUID(), mayInitialise: true, endLvm: lvm.end },
      ...{
        place: { group: 'vms', pool: 'thin' },
        deviceFolder: lvm.deviceFolder,
        recordsFolder: join(root, 'records'),
      },
    });
    const { path } = await guestImage('tiny');
    const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
    const { sizeBytes } = await pool.importImage({ imageId, ownerId, sha256, path });
    const source = { volumeId: imageId, snapshotId: imageId };
    await pool.cloneVolume({ volumeId: rootId, ownerId, source, isLinked: true, sizeBytes: sizeBytes + 64 * MIB });
    await pool.ensureVolume({ volumeId: dataId, ownerId, sizeBytes: DATA_MIB * MIB });
    mkdirSync(join(root, 'disks'), { mode: 0o711 });
    spec = {
      ...{ vmId: randomUUID(), name: 'db', runDir: join(root, 'run'), epoch: 1, vcpuCount: 1, memoryBytes: 128 * MIB },
      ...{ accelerator: 'tcg', machineType: 'pc-q35-10.0', hardware: hardwareOf(DATA_MIB), isPaused: false },
      firmware: { folder: join(root, 'firmware'), generationId: randomUUID() },
      diskPath: join(root, 'disks', 'root'),
      rootImage: await deviceOf(rootId),
      placement: ANYWHERE,
      attachments: { disks: {}, images: { [dataId]: await deviceOf(dataId) }, media: {} },
    };
    vm = await driver.launch(spec);
    await eventually('the guest agent', GUEST_MS, async () => (await vm.pingGuest(ANSWER_MS)).isResponding);
  });
  afterAll(async () => {
    if (spec !== undefined) await driver.sweep(spec.vmId, spec.runDir);
    lvm?.close();
    scratch.remove();
  });

  it('runs from them under a user that has them and no other', async () => {
    const { uid, mode } = statSync((await deviceOf(dataId)).devicePath);
    expect(uid).toBeGreaterThanOrEqual(VM_UIDS.first);
    expect(mode & 0o777).toBe(0o600);
  });

  it('stands still while snapshots of both are made, and goes on', async () => {
    await fill(0, 'a');
    const volumes = [rootId, dataId].map((volumeId) => ({ volumeId, snapshotId }));
    const cutOff = (turns: readonly Turn[]) =>
      vm.holdStill(async () => {
        const [first] = turns;
        if (first?.kind === 'still') await first.take();
        throw new Error('the agent was killed');
      });
    await expect(pool.snapshotVolumes({ volumes, switchLive: cutOff })).rejects.toThrow('the agent was killed');
    const facts = await pool.snapshotVolumes({ volumes, switchLive: turn });
    expect(facts.map(({ snapshots }) => snapshots.map(({ id }) => id))).toEqual([[snapshotId], [snapshotId]]);
    await fill(0, 'b');
    expect(await vm.queryPower()).toBe('running');
  });

  it('is changed by nobody else meanwhile', async () => {
    const revert = { volumeId: dataId, snapshotId, revertId: randomUUID() };
    await expect(pool.revertVolume(revert)).rejects.toMatchObject({ code: 'conflict_state' });
  });

  it('sees its disk grow', async () => {
    const growLive = () => vm.ensureMachine({ ...spec, hardware: hardwareOf(2 * DATA_MIB) });
    await pool.growVolume({ volumeId: dataId, sizeBytes: 2 * DATA_MIB * MIB, growLive });
    await eventually('the guest sees it', ANSWER_MS, async () => {
      const sectors = Number(await run('cat /sys/block/vdb/size'));
      return sectors === (2 * DATA_MIB * MIB) / SECTOR_BYTES;
    });
    await fill(2 * DATA_MIB - 1, 'b');
  });

  it('has on its volume what it wrote, and what its snapshot had after a revert', async () => {
    process.kill(vm.pid, 'SIGKILL');
    await vm.exited;
    for (const volumeId of [rootId, dataId]) await pool.releaseVolume(volumeId, 1);
    const bytes = async () => readMibs((await pool.claimVolume(dataId, 2)).source);
    expect(await bytes()).toEqual([B, 0, 0, 0, 0, 0, 0, B]);
    await pool.revertVolume({ volumeId: dataId, snapshotId, revertId: randomUUID() });
    expect(await bytes()).toEqual([A, 0, 0, 0]);
    for (const id of [rootId, dataId, imageId]) {
      await pool.releaseVolume(id, 2);
      await pool.removeVolume(id);
      await pool.purgeVolume(id);
    }
    expect(await pool.observe()).toMatchObject({ volumeCount: 0, allocatedBytes: 0 });
  });
});
