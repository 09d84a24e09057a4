import { execFileSync, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDirectoryPool, type StoragePool, type Turn, type VolumeFiles } from '@kvorum/host-storage';
import { ANYWHERE, type LaunchSpec, openQemuDriver, type RunningVm, VM_UIDS } from '@kvorum/hypervisor-driver';
import { MIB, PLAIN_HARDWARE, VmDevices, type VolumeId } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { guestImage } from '../support/guest-images.js';
import { eventually } from './eventually.js';

/** Small enough to be filled by a guest under emulation, large enough for two volumes and their snapshots. */
const POOL_MIB = 48;
const BALLAST_MIB = 20;
const VOLUME_BYTES = 64 * MIB;
const ANSWER_MS = 30_000;
const GUEST_MS = 180_000;
const ownerId = randomUUID();

const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'kvorum-vm-volumes-')));
chmodSync(scratch, 0o711);
const poolPath = join(scratch, 'pool');
mkdirSync(poolPath);
const isMounted =
  spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${POOL_MIB}m,mode=0711`, 'kvorum-test', poolPath]).status === 0;
if (!isMounted) console.log('skipped: a small file system cannot be mounted here');

// As an agent that is root does: the process has a user of its own, and opens what it was given and nothing else.
const driver = openQemuDriver({ vmUids: process.getuid?.() === 0 ? VM_UIDS : null });
const volumeIds = [randomUUID(), randomUUID()] as [string, string];
let pool: StoragePool;
let spec: LaunchSpec;
let vm: RunningVm;

afterAll(async () => {
  if (spec !== undefined) await driver.sweep(spec.vmId, spec.runDir);
  if (isMounted) execFileSync('umount', [poolPath]);
  rmSync(scratch, { recursive: true });
});

async function filesOf(volumeId: string): Promise<VolumeFiles> {
  const { source } = await pool.claimVolume(volumeId, 1);
  if (source.kind !== 'files') throw new TypeError('a folder of files gives files');
  return source;
}

async function attachments(): Promise<NonNullable<LaunchSpec['attachments']>> {
  const claimed = await Promise.all(volumeIds.map(async (id) => [id, await filesOf(id)] as const));
  return {
    disks: Object.fromEntries(claimed.map(([id, { path }]) => [id, path])),
    bases: Object.fromEntries(claimed.map(([id, { basePaths }]) => [id, basePaths])),
    media: {},
  };
}

async function launch(): Promise<void> {
  const dataDisks = volumeIds.map((id, at) => ({ id: id as VolumeId, sizeBytes: VOLUME_BYTES, slot: at + 1 }));
  spec = {
    vmId: randomUUID(),
    name: 'db',
    runDir: join(scratch, 'run'),
    epoch: 1,
    vcpuCount: 1,
    memoryBytes: 128 * MIB,
    accelerator: 'tcg',
    machineType: 'pc-q35-10.0',
    hardware: {
      ...PLAIN_HARDWARE,
      devices: VmDevices.parse({ dataDisks: dataDisks.map((disk) => ({ ...disk, cache: 'page-cache' })) }),
    },
    firmware: { folder: join(scratch, 'firmware'), generationId: randomUUID() },
    diskPath: join(scratch, 'root.qcow2'),
    placement: ANYWHERE,
    isPaused: false,
    attachments: await attachments(),
  };
  vm = await driver.launch(spec);
  await eventually('the guest agent', GUEST_MS, async () => (await vm.pingGuest(ANSWER_MS)).isResponding);
}

const start = (script: string) =>
  vm.guest.startCommand({ program: 'sh', args: ['-c', script], input: null }, ANSWER_MS);
async function run(script: string): Promise<string> {
  const id = await start(script);
  return eventually(script, GUEST_MS, async () => {
    const status = await vm.guest.pollCommand(id, ANSWER_MS);
    return status.hasEnded && Buffer.from(status.stdout).toString().trim();
  });
}

const turn = (turns: readonly Turn[]) =>
  vm.switchDisks(
    turns.map((one) => {
      if (one.kind !== 'overlay') throw new TypeError('a folder of files gives overlays');
      return { diskId: one.volumeId, basePath: one.basePath, path: one.path };
    }),
  );

/** The number that the guest's counter has written to the first sector of a volume. */
function countOn(path: string): number {
  const raw = join(scratch, 'first.raw');
  execFileSync('qemu-img', ['dd', '-f', 'qcow2', '-O', 'raw', 'bs=512', 'count=1', `if=${path}`, `of=${raw}`]);
  return Number(readFileSync(raw, 'utf8').split('\n')[0] ?? '');
}

/** To one disk and, once that is on it, to the other: at each instant they differ by one at the most. */
const COUNTER = `n=1; while [ ! -e /stop ]; do for disk in vdb vdc; do printf '%-511s\\n' $n | tr ' ' '\\n' >/tmp/n; dd if=/tmp/n of=/dev/$disk bs=512 count=1 conv=notrunc,fsync 2>/dev/null; done; echo $n >/count; n=$((n + 1)); done`;

describe.skipIf(!isMounted)('a VM with volumes on a storage pool', () => {
  beforeAll(async () => {
    const options = { poolId: randomUUID(), hostId: randomUUID(), path: poolPath, highWaterRatio: 0.9 };
    pool = await openDirectoryPool({ ...options, driver: 'dir', mayInitialise: true });
    for (const volumeId of volumeIds) await pool.ensureVolume({ volumeId, ownerId, sizeBytes: VOLUME_BYTES });
    const image = join(scratch, 'tiny.qcow2');
    copyFileSync((await guestImage('tiny')).path, image);
    await driver.ensureDisk({ path: join(scratch, 'root.qcow2'), sizeBytes: 1024 * MIB, imagePath: image });
    await launch();
  });

  it('has both as they were at one instant in a snapshot, while it writes, and goes on', async () => {
    await start(COUNTER);
    const counted = async (above: number) =>
      eventually(`a count above ${above}`, GUEST_MS, async () => {
        const count = Number(await run('cat /count'));
        return count > above && count;
      });
    const before = await counted(3);
    const snapshotId = randomUUID();
    await pool.snapshotVolumes({
      volumes: volumeIds.map((volumeId) => ({ volumeId, snapshotId })),
      switchLive: turn,
    });
    await counted(Number(await run('cat /count')) + 3);
    const counts: number[] = [];
    for (const source of volumeIds) {
      const volumeId = randomUUID();
      await pool.cloneVolume({ volumeId, ownerId, source: { volumeId: source, snapshotId }, isLinked: false });
      counts.push(countOn((await filesOf(volumeId)).path));
      await pool.releaseVolume(volumeId, 1);
      await pool.removeVolume(volumeId);
      await pool.purgeVolume(volumeId);
    }
    const [first, second] = counts as [number, number];
    expect(first).toBeGreaterThanOrEqual(before);
    expect(first - second).toBeGreaterThanOrEqual(0);
    expect(first - second).toBeLessThanOrEqual(1);
    await run('touch /stop');
  });

  it('has a snapshot finished whose agent was gone in the middle, when it is asked for again', async () => {
    const volumes = volumeIds.map((volumeId) => ({ volumeId, snapshotId: randomUUID() }));
    const gone = new Error('the agent was killed');
    const before = async () => {
      throw gone;
    };
    const after = async (overlays: readonly Turn[]) => {
      await turn(overlays);
      throw gone;
    };
    for (const switchLive of [before, after]) {
      await expect(pool.snapshotVolumes({ volumes, switchLive })).rejects.toBe(gone);
      // The VM writes to one file or the other: without asking it nothing may be done.
      const growth = { volumeId: volumeIds[0], sizeBytes: 2 * VOLUME_BYTES };
      await expect(pool.growVolume(growth)).rejects.toMatchObject({ code: 'conflict_state' });
    }
    for (let time = 0; time < 2; time += 1) {
      const facts = await pool.snapshotVolumes({ volumes, switchLive: turn });
      expect(facts.map(({ snapshots, chainLength }) => [snapshots.length, chainLength])).toEqual([
        [2, 3],
        [2, 3],
      ]);
    }
  });

  it('stands still when the pool is full, and loses nothing when there is room again', async () => {
    const ballast = join(poolPath, 'ballast');
    writeFileSync(ballast, Buffer.alloc(BALLAST_MIB * MIB));
    // No file system and no cache of the guest between: what dd has written is on the volume, or waits in QEMU.
    const writing = await start(
      'dd if=/dev/urandom of=/tmp/block bs=1M count=1; n=1; while [ $n -lt 40 ]; do dd if=/tmp/block of=/dev/vdb bs=1M seek=$n count=1 conv=notrunc,fsync || exit 1; n=$((n + 1)); done',
    );
    await eventually('the pause', GUEST_MS, async () => (await vm.queryPower()) === 'paused');
    expect(await vm.checkMonitor(ANSWER_MS)).toMatchObject({ power: 'paused', diskFault: { kind: 'full' } });
    expect(await pool.observe()).toMatchObject({ isAboveHighWater: true });
    await expect(pool.ensureVolume({ volumeId: randomUUID(), ownerId, sizeBytes: MIB })).rejects.toMatchObject({
      code: 'no_capacity',
    });
    rmSync(ballast);
    execFileSync('mount', ['-o', `remount,size=${2 * POOL_MIB}m`, poolPath]);
    await vm.resume();
    const end = await eventually('the end of the writing', GUEST_MS, async () => {
      const status = await vm.guest.pollCommand(writing, ANSWER_MS);
      return status.hasEnded && status;
    });
    expect(end.exitCode).toBe(0);
    const sums = await run(
      'md5sum </tmp/block; n=1; while [ $n -lt 40 ]; do dd if=/dev/vdb bs=1M skip=$n count=1 2>/dev/null | md5sum; n=$((n + 1)); done',
    );
    expect(new Set(sums.split('\n')).size).toBe(1);
  });

  it('has on its volumes what it flushed, when its process is killed', async () => {
    await run('echo 4711 | dd of=/dev/vdc bs=512 count=1 conv=notrunc,fsync,sync');
    process.kill(vm.pid, 'SIGKILL');
    await vm.exited;
    const [, volumeId] = volumeIds;
    const { path } = await filesOf(volumeId);
    const { status } = spawnSync('qemu-img', ['check', '-q', '-f', 'qcow2', path]);
    expect([0, 3]).toContain(status);
    expect(countOn(path)).toBe(4711);
    for (const { id } of (await pool.observeVolume(volumeId)).snapshots) await pool.removeSnapshot(volumeId, id);
    expect(await pool.observeVolume(volumeId)).toMatchObject({ chainLength: 1, snapshots: [] });
    expect(countOn((await filesOf(volumeId)).path)).toBe(4711);
  });
});
