import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MIB, newId, PLAIN_HARDWARE, VmDevices, VmHardware } from '@kvorum/schema';
import { PowerState, type RunGuestCommandResponse, VolumeToSnapshot } from '@kvorum/schema/agent-wire';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentCalls, TestVm } from '../../apps/node-agent/test/simulated-host.js';
import { SimulatedSite } from '../../apps/node-agent/test/simulated-site.js';
import { guestImage } from '../support/guest-images.js';
import { type Child, startChild } from './child-process.js';
import { eventually } from './eventually.js';
import { qemuPids, removeControlGroups } from './leftovers.js';

const AGENT_MAIN = join(import.meta.dirname, '../../apps/node-agent/dist/main.js');
/** Emulated guests on two shared cores: generous, and only a bound. */
const WAIT_MS = 240_000;
const ROOT_MIB = 1024;
const DATA_MIB = 32;
const SNAPSHOT_COUNT = 12;
const KEPT_COUNT = 3;
/** Slow enough that there is an amid: of `LARGE_MIB` some ten seconds. */
const MERGE_BYTES_PER_SECOND = 2 * MIB;
const LARGE_MIB = 20;
const ownerId = newId();

const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'kv-merges-')));
chmodSync(scratch, 0o711);
const pool = join(scratch, 'pool');
mkdirSync(pool, { mode: 0o711 });
const stateDir = join(scratch, 's');
const runDir = join(scratch, 'r');

interface PoolRecord {
  readonly layers: readonly { readonly id: string }[];
  readonly snapshots: readonly unknown[];
  readonly pending: { readonly kind: string } | null;
}

const vm = new TestVm();
const dataId = newId<string>();
const volumeIds = [vm.volumeId, dataId];
let site: SimulatedSite;
let agent: Child;
let poolId: string;
let generation = 1;

async function start(): Promise<void> {
  agent = await startChild(AGENT_MAIN, {
    args: [
      ...['--state-dir', stateDir, '--run-dir', runDir, '--name', 'host-a', '--allow-emulation'],
      ...['--join-file', join(scratch, 'join'), '--enrol-address', `127.0.0.1:${site.enrolPort}`],
      ...['--storage-pool', `fast=dir:${pool}`, '--merge-bytes-per-second', String(MERGE_BYTES_PER_SECOND)],
    ],
    logPath: join(scratch, 'agent.log'),
    event: 'ready',
  });
}
const calls = () => {
  const { address, hostId } = agent.ready as { address: string; hostId: string };
  return new AgentCalls(site.agentClient({ address, hostId }));
};
const intentOf = (volumeId: string) => ({ volumeId, generation, fencingToken: 1, operationId: newId() });

async function ensureVm(power: PowerState, epoch: number): Promise<void> {
  generation += 1;
  const devices = VmDevices.parse({ dataDisks: [{ id: dataId, sizeBytes: DATA_MIB * MIB, slot: 1 }] });
  const spec = vm.spec({
    memoryBytes: 128 * MIB,
    hardware: VmHardware.parse({ ...PLAIN_HARDWARE, devices }),
    pooledVolumes: volumeIds.map((volumeId) => ({ volumeId, poolId, claimEpoch: epoch })),
  });
  // A start that comes while layers are merged is to be asked for again.
  await eventually('the VM is as it is to be', WAIT_MS, async () => {
    await calls().ensureVm(vm.request(vm.intent(generation, epoch), { spec, power }));
    return true;
  });
}

async function run(script: string): Promise<string> {
  const request = { vmId: vm.vmId, program: 'sh', args: ['-c', script], input: Buffer.alloc(0), timeoutMs: WAIT_MS };
  const answer: RunGuestCommandResponse = await calls().unary(calls().client.runGuestCommand, request);
  expect([answer.exitCode, answer.stderr.toString()], script).toEqual([0, '']);
  return answer.stdout.toString().trim();
}
const guestIsUp = () =>
  eventually('the guest agent', WAIT_MS, () =>
    run('true').then(
      () => true,
      () => false,
    ),
  );
/** To both disks; of the root disk what no file system has. */
const write = (atMib: number, countMib: number) =>
  run(
    `for disk in vda:${ROOT_MIB - DATA_MIB} vdb:0; do dd if=/dev/urandom of=/dev/\${disk%:*} bs=1M seek=$((\${disk#*:} + ${atMib})) count=${countMib} conv=notrunc,fsync 2>/dev/null; done`,
  );
const checksums = () =>
  run(
    `echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/vda bs=1M skip=${ROOT_MIB - DATA_MIB} 2>/dev/null | md5sum; md5sum </dev/vdb`,
  );

async function snapshot(): Promise<string> {
  const snapshotId = newId<string>();
  const volumes = volumeIds.map((id) => VolumeToSnapshot.create({ intent: intentOf(id), poolId, snapshotId }));
  await calls().unary(calls().client.snapshotVolumes, { volumes, vmId: vm.vmId, freezeTimeoutMs: 0 });
  return snapshotId;
}
async function remove(snapshotId: string): Promise<void> {
  for (const volumeId of volumeIds) {
    await calls().unary(calls().client.removeVolumeSnapshot, { intent: intentOf(volumeId), poolId, snapshotId });
  }
}

const records = (): PoolRecord[] =>
  volumeIds.map((id) => JSON.parse(readFileSync(join(pool, 'volumes', `${id}.json`), 'utf8')));
const areShort = () =>
  eventually('short chains', WAIT_MS, () =>
    records().every(
      ({ layers, snapshots, pending }) => pending === null && layers.length <= Math.max(1, snapshots.length + 2),
    ),
  );
const isMerging = () =>
  eventually('a merge under way', WAIT_MS, () => records().some(({ pending }) => pending?.kind === 'merge'));

/** A large layer between two small ones, whose snapshot below is removed; resolves when its merge is under way. */
async function beginLargeMerge(): Promise<string> {
  const lower = await snapshot();
  await write(2, LARGE_MIB);
  await snapshot();
  await write(1, 1);
  const before = await checksums();
  await remove(lower);
  await isMerging();
  return before;
}

/** Of closed files all is merged that can be, and then nobody has them open. */
async function expectSoundFiles(): Promise<void> {
  await eventually('merged files', WAIT_MS, () =>
    records().every(({ layers, snapshots, pending }) => pending === null && layers.length <= snapshots.length + 1),
  );
  await eventually('sound files', WAIT_MS, () => {
    for (const name of readdirSync(join(pool, 'layers'))) {
      const { status, stderr } = spawnSync('qemu-img', ['check', '-q', '-f', 'qcow2', join(pool, 'layers', name)]);
      // 3: clusters that nothing uses, which a killed process may leave.
      if (status !== 0 && status !== 3) throw new Error(`${name}: ${status} ${stderr}`);
    }
    return true;
  });
}

describe('a guest that runs while snapshots of its disks are taken and removed', () => {
  beforeAll(async () => {
    site = await SimulatedSite.start();
    await site.writeJoinFile(join(scratch, 'join'));
    await start();
    poolId = await eventually(
      'the pool',
      WAIT_MS,
      () => site.reports.findLast(({ pools }) => pools !== undefined)?.pools?.pools[0]?.poolId || false,
    );
    const content = readFileSync((await guestImage('tiny')).path);
    const image = { imageId: newId<string>(), sha256: createHash('sha256').update(content).digest('hex') };
    site.images.set(image.imageId, content);
    for await (const _ of calls().client.ensureImage({ ...image, sizeBytes: content.byteLength, peers: [] }));
    for (const [volumeId, mib, from] of [
      [vm.volumeId, ROOT_MIB, image],
      [dataId, DATA_MIB, undefined],
    ] as const) {
      const request = { intent: intentOf(volumeId), poolId, ownerId, sizeBytes: mib * MIB, image: from };
      await calls().unary(calls().client.ensureVolume, request);
    }
    await ensureVm(PowerState.POWER_STATE_RUNNING, 1);
    await guestIsUp();
  });
  afterAll(async () => {
    await agent?.stop();
    site?.close();
    for (const pid of qemuPids({ runDir })) process.kill(pid, 'SIGKILL');
    await removeControlGroups({ stateDir });
    rmSync(scratch, { recursive: true, force: true });
  });

  it('reads its disks through no more files than there are snapshots and two, and sees the same', async () => {
    const kept: string[] = [];
    const [pid] = qemuPids({ runDir });
    for (let count = 0; count < SNAPSHOT_COUNT; count += 1) {
      await write(count, 1);
      kept.push(await snapshot());
      const oldest = kept.length > KEPT_COUNT ? kept.shift() : undefined;
      if (oldest !== undefined) await remove(oldest);
      await areShort();
      expect(records().map(({ snapshots }) => snapshots.length)).toEqual([kept.length, kept.length]);
    }
    const before = await checksums();
    for (const id of kept) await remove(id);
    await areShort();
    expect(await checksums()).toBe(before);
    expect(qemuPids({ runDir })).toEqual([pid]);
  });

  it('has a merge gone on with when its agent was killed in the middle', async () => {
    const before = await beginLargeMerge();
    await agent.kill();
    expect(records().some(({ pending }) => pending?.kind === 'merge')).toBe(true);
    await start();
    await areShort();
    await guestIsUp();
    expect(await checksums()).toBe(before);
  });

  it('has lost nothing when its own process was killed in the middle', async () => {
    const before = await beginLargeMerge();
    for (const pid of qemuPids({ runDir })) process.kill(pid, 'SIGKILL');
    await expectSoundFiles();
    await ensureVm(PowerState.POWER_STATE_RUNNING, 2);
    await guestIsUp();
    expect(await checksums()).toBe(before);
  });

  it('has lost nothing when both were killed in the middle', async () => {
    const before = await beginLargeMerge();
    await agent.kill();
    for (const pid of qemuPids({ runDir })) process.kill(pid, 'SIGKILL');
    await start();
    await expectSoundFiles();
    await ensureVm(PowerState.POWER_STATE_RUNNING, 3);
    await guestIsUp();
    expect(await checksums()).toBe(before);
  });
});
