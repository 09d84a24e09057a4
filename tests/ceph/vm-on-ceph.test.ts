import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRbdPool, type StoragePool, type Turn, type VolumeImage } from '@kvorum/host-storage';
import { ANYWHERE, type LaunchSpec, openQemuDriver, type RunningVm, VM_UIDS } from '@kvorum/hypervisor-driver';
import { MIB, PLAIN_HARDWARE, VmDevices, type VolumeId } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { readMibs, toolArguments } from '../../packages/host-storage/test/volume-bytes.js';
import { eventually } from '../e2e/eventually.js';
import { guestImage } from '../support/guest-images.js';
import type {} from './ceph-setup.js';

const DATA_MIB = 4;
const ANSWER_MS = 60_000;
const GUEST_MS = 300_000;
const SECTOR_BYTES = 512;
const ownerId = randomUUID();

const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'kvorum-vm-ceph-')));
chmodSync(scratch, 0o711);
// As an agent that is root does: the process has a user of its own, and opens what it was given and nothing else.
const driver = openQemuDriver({ vmUids: process.getuid?.() === 0 ? VM_UIDS : null });
const [rootId, dataId, imageId] = [randomUUID(), randomUUID(), randomUUID()];
/** The same pool, as two hosts see it. */
let hostA: StoragePool;
let hostB: StoragePool;
let spec: LaunchSpec;
let vm: RunningVm;

async function imageOf(pool: StoragePool, volumeId: string, epoch: number): Promise<VolumeImage> {
  const { source } = await pool.claimVolume(volumeId, epoch);
  if (source.kind !== 'rbd') throw new TypeError('a pool in Ceph gives images');
  return source;
}

async function openPools(): Promise<void> {
  const { confPath, keyringPath, adminKeyringPath } = inject('ceph');
  const namespace = `n-${randomUUID()}`;
  const who = ['--conf', confPath, '--keyring', adminKeyringPath];
  execFileSync('rbd', [...who, 'namespace', 'create', `vms/${namespace}`]);
  const place = { pool: 'vms', namespace, confPath, user: 'kvorum', keyringPath };
  const open = (name: string, poolId: string | null) =>
    openRbdPool({ poolId, hostId: randomUUID(), place, privateFolder: join(scratch, name), mayInitialise: true });
  hostA = await open('a', null);
  hostB = await open('b', hostA.id);
}

async function makeVolumes(): Promise<void> {
  const { path } = await guestImage('tiny');
  const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
  const { sizeBytes } = await hostA.importImage({ imageId, ownerId, sha256, path });
  const source = { volumeId: imageId, snapshotId: imageId };
  await hostA.cloneVolume({ volumeId: rootId, ownerId, source, isLinked: true, sizeBytes: sizeBytes + 64 * MIB });
  await hostA.ensureVolume({ volumeId: dataId, ownerId, sizeBytes: DATA_MIB * MIB });
}

const hardwareOf = (dataMib: number): LaunchSpec['hardware'] => ({
  ...PLAIN_HARDWARE,
  devices: VmDevices.parse({ dataDisks: [{ id: dataId as VolumeId, sizeBytes: dataMib * MIB, slot: 1 }] }),
});

async function launch(): Promise<void> {
  mkdirSync(join(scratch, 'disks'), { mode: 0o711 });
  spec = {
    vmId: randomUUID(),
    name: 'db',
    runDir: join(scratch, 'run'),
    epoch: 1,
    vcpuCount: 1,
    memoryBytes: 128 * MIB,
    accelerator: 'tcg',
    machineType: 'pc-q35-10.0',
    hardware: hardwareOf(DATA_MIB),
    firmware: { folder: join(scratch, 'firmware'), generationId: randomUUID() },
    diskPath: join(scratch, 'disks', 'root'),
    rootImage: await imageOf(hostA, rootId, 1),
    placement: ANYWHERE,
    isPaused: false,
    attachments: { disks: {}, images: { [dataId]: await imageOf(hostA, dataId, 1) }, media: {} },
  };
  vm = await driver.launch(spec);
  await eventually('the guest agent', GUEST_MS, async () => (await vm.pingGuest(ANSWER_MS)).isResponding);
}

async function run(script: string): Promise<string> {
  const id = await vm.guest.startCommand({ program: 'sh', args: ['-c', script], input: null }, ANSWER_MS);
  return eventually(script, GUEST_MS, async () => {
    const status = await vm.guest.pollCommand(id, ANSWER_MS);
    return status.hasEnded && Buffer.from(status.stdout).toString().trim();
  });
}

const fill = (mib: number, letter: string) =>
  run(`head -c 1048576 /dev/zero | tr '\\0' ${letter} | dd of=/dev/vdb bs=1M seek=${mib} conv=fsync 2>&1; echo ended`);

/** What an agent does: all of the turns by one transaction of the VM's process. */
const turn = (turns: readonly Turn[]) =>
  vm.switchDisks(
    turns.map((one) => {
      if (one.kind !== 'image') throw new TypeError('a pool in Ceph gives images');
      return { diskId: one.volumeId === rootId ? 'root' : one.volumeId, snapshotName: one.snapshotName };
    }),
  );

const [A, B] = ['a'.charCodeAt(0), 'b'.charCodeAt(0)];

describe('a VM whose disks lie in Ceph', () => {
  const snapshotId = randomUUID();

  beforeAll(async () => {
    await openPools();
    await makeVolumes();
    await launch();
  });
  afterAll(async () => {
    if (spec !== undefined) await driver.sweep(spec.vmId, spec.runDir);
    rmSync(scratch, { recursive: true });
  });

  it('runs from there, with its key on no command line and in no file that is left', () => {
    const lines = execFileSync('ps', ['-A', '-ww', '-o', 'args'], { encoding: 'utf8' }).split('\n');
    expect(lines.filter((line) => line.includes(spec.vmId) && line.includes('"driver":"rbd"'))).toHaveLength(1);
    const key = readFileSync(join(scratch, 'a', 'kvorum.key'), 'utf8').trim();
    expect(lines.filter((line) => line.includes(key))).toEqual([]);
    expect(execFileSync('find', [spec.runDir, '-name', 'keys'], { encoding: 'utf8' })).toBe('');
  });

  it('has snapshots made of both disks by one transaction, and goes on', async () => {
    await fill(0, 'a');
    const volumes = [rootId, dataId].map((volumeId) => ({ volumeId, snapshotId }));
    const gone = new Error('the agent was killed');
    const cutOff = async (turns: readonly Turn[]) => {
      await turn(turns);
      throw gone;
    };
    await expect(hostA.snapshotVolumes({ volumes, switchLive: cutOff })).rejects.toBe(gone);
    // Asked for again it is the one that was made.
    const facts = await hostA.snapshotVolumes({ volumes, switchLive: turn });
    expect(facts.map(({ snapshots }) => snapshots.map(({ id }) => id))).toEqual([[snapshotId], [snapshotId]]);
    await fill(0, 'b');
    expect(await vm.queryPower()).toBe('running');
  });

  it('is changed by nobody else meanwhile', async () => {
    const refused = { code: 'conflict_state' };
    const revert = { volumeId: dataId, snapshotId, revertId: randomUUID() };
    await expect(hostA.revertVolume(revert)).rejects.toMatchObject(refused);
    await expect(hostB.claimVolume(dataId, 1)).rejects.toMatchObject(refused);
  });

  it('sees its disk grow', async () => {
    const growLive = () => vm.ensureMachine({ ...spec, hardware: hardwareOf(2 * DATA_MIB) });
    await hostA.growVolume({ volumeId: dataId, sizeBytes: 2 * DATA_MIB * MIB, growLive });
    const sectors = await run('cat /sys/block/vdb/size');
    expect(Number(sectors)).toBe((2 * DATA_MIB * MIB) / SECTOR_BYTES);
    await fill(2 * DATA_MIB - 1, 'b');
  });

  it('has on its volume what it wrote, for another host too, and what its snapshot had after a revert', async () => {
    process.kill(vm.pid, 'SIGKILL');
    await vm.exited;
    for (const volumeId of [rootId, dataId]) await hostA.releaseVolume(volumeId, 1);
    const now = await imageOf(hostB, dataId, 2);
    expect(readMibs(now)).toEqual([B, 0, 0, 0, 0, 0, 0, B]);
    await hostB.revertVolume({ volumeId: dataId, snapshotId, revertId: randomUUID() });
    expect(readMibs(await imageOf(hostB, dataId, 2))).toEqual([A, 0, 0, 0]);
    await hostB.releaseVolume(dataId, 2);
  });

  it('is cut off from a volume that another host has taken with a higher epoch', async () => {
    const image = await imageOf(hostA, dataId, 3);
    const child = spawn('qemu-io', toolArguments(image), { stdio: ['pipe', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
    child.stdin.write('write -P 7 0 1M\n');
    await eventually('its first write', ANSWER_MS, async () => said.includes('wrote 1048576/1048576'));
    const theirs = await imageOf(hostB, dataId, 4);
    child.stdin.write('write -P 9 1M 1M\nflush\nquit\n');
    child.stdin.end();
    await once(child, 'close');
    expect(said).toMatch(/write failed|Cannot send after transport endpoint shutdown/);
    expect(readMibs(theirs)).toEqual([7, 0, 0, 0]);
  });
});
