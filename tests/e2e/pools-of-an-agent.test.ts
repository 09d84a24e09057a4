import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openQemuDriver, VM_UIDS } from '@kvorum/hypervisor-driver';
import { type Agent, startAgent } from '@kvorum/node-agent';
import { MIB, newId, PLAIN_HARDWARE, VmDevices, VmHardware } from '@kvorum/schema';
import {
  PowerState,
  type RunGuestCommandResponse,
  type VmReport,
  type VolumeReport,
  VolumeToSnapshot,
} from '@kvorum/schema/agent-wire';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentCalls, silentLog, TestVm } from '../../apps/node-agent/test/simulated-host.js';
import { SimulatedSite } from '../../apps/node-agent/test/simulated-site.js';
import { guestImage } from '../support/guest-images.js';
import { eventually } from './eventually.js';

/** Room for the image, and for a guest under emulation to fill the rest. */
const FREE_MIB = 40;
const GUEST_MS = 180_000;
const ROOT_MIB = 1024;
const DATA_MIB = 64;
const ownerId = newId();

const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'kv-pools-')));
chmodSync(scratch, 0o711);
const path = join(scratch, 'pool');
mkdirSync(path);
const image = await guestImage('tiny');
const content = readFileSync(image.path);
const sizeMib = Math.ceil(content.byteLength / MIB) + FREE_MIB;
const isMounted =
  spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m,mode=0711`, 'kvorum-test', path]).status === 0;
if (!isMounted) console.log('skipped: a small file system cannot be mounted here');

const vm = new TestVm();
const dataId = newId<string>();
const snapshotId = newId<string>();
let site: SimulatedSite;
let agent: Agent;
let poolId: string;
let generation = 1;

async function start(): Promise<void> {
  agent = await startAgent({
    config: {
      stateDir: join(scratch, 's'),
      runDir: join(scratch, 'r'),
      joinFile: join(scratch, 'join'),
      enrolAddress: `127.0.0.1:${site.enrolPort}`,
      name: 'host-a',
      allowEmulation: true,
      storagePool: [`fast=dir:${path}`],
    },
    // As an agent that is root does: the process has a user of its own, and opens what it was given and nothing else.
    driver: openQemuDriver({ vmUids: process.getuid?.() === 0 ? VM_UIDS : null }),
    pressure: { read: async () => ({ totalBytes: 2 ** 33, availableBytes: 2 ** 33, stallPercent: null }) },
    log: silentLog,
  });
}
const calls = () => new AgentCalls(site.agentClient(agent));
const intentOf = (volumeId: string) => ({ volumeId, generation, fencingToken: 1, operationId: newId() });
const observe = async (): Promise<VmReport | undefined> => (await calls().observeVms([vm.vmId])).vms[0];

async function ensureVm(power: PowerState, epoch: number): Promise<void> {
  generation += 1;
  const devices = VmDevices.parse({ dataDisks: [{ id: dataId, sizeBytes: DATA_MIB * MIB, slot: 1 }] });
  const spec = vm.spec({
    memoryBytes: 128 * MIB,
    hardware: VmHardware.parse({ ...PLAIN_HARDWARE, devices }),
    pooledVolumes: [vm.volumeId, dataId].map((volumeId) => ({ volumeId, poolId, claimEpoch: epoch })),
  });
  await calls().ensureVm(vm.request(vm.intent(generation, epoch), { spec, power }));
}

async function run(script: string): Promise<string> {
  const request = { vmId: vm.vmId, program: 'sh', args: ['-c', script], input: Buffer.alloc(0), timeoutMs: GUEST_MS };
  const answer: RunGuestCommandResponse = await calls().unary(calls().client.runGuestCommand, request);
  expect(answer.stderr.toString(), script).toBe('');
  return answer.stdout.toString().trim();
}
const guestIsUp = () =>
  eventually('the guest agent', GUEST_MS, () =>
    run('true').then(
      () => true,
      () => false,
    ),
  );
/** A MiB of one byte in the disk's last one but one; nothing of the guest lies there. */
const mark = (disk: string, atMib: number, letter: string) =>
  run(
    `tr '\\0' ${letter} </dev/zero | head -c 1048576 | dd of=/dev/${disk} bs=1M seek=${atMib} conv=notrunc,fsync 2>/dev/null`,
  );
const marked = (disk: string, atMib: number) =>
  run(`dd if=/dev/${disk} bs=1M skip=${atMib} count=1 2>/dev/null | tr -s '${'a-z'}' | head -c 1`);

afterAll(async () => {
  if (agent !== undefined) {
    await ensureVm(PowerState.POWER_STATE_STOPPED, 9).catch(() => undefined);
    await agent.close();
    site.close();
  }
  // What was merged in the background when the VM had stopped ends on its own.
  if (isMounted) await eventually('an idle pool', GUEST_MS, async () => spawnSync('umount', [path]).status === 0);
  rmSync(scratch, { recursive: true });
});

describe.skipIf(!isMounted)('a VM whose disks lie on a pool of its host', () => {
  beforeAll(async () => {
    site = await SimulatedSite.start();
    await site.writeJoinFile(join(scratch, 'join'));
    await start();
    poolId = await eventually(
      'the pool',
      GUEST_MS,
      async () => site.reports.findLast(({ pools }) => pools !== undefined)?.pools?.pools[0]?.poolId || false,
    );
    const sha256 = createHash('sha256').update(content).digest('hex');
    const ofImage = { imageId: newId<string>(), sha256 };
    site.images.set(ofImage.imageId, content);
    for await (const _ of calls().client.ensureImage({ ...ofImage, sizeBytes: content.byteLength, peers: [] }));
    for (const [volumeId, mib, from] of [
      [vm.volumeId, ROOT_MIB, ofImage],
      [dataId, DATA_MIB, undefined],
    ] as const) {
      const request = { intent: intentOf(volumeId), poolId, ownerId, sizeBytes: mib * MIB, image: from };
      await calls().unary(calls().client.ensureVolume, request);
    }
    await ensureVm(PowerState.POWER_STATE_RUNNING, 1);
    await guestIsUp();
  });

  it('has snapshots of its root disk and its data disk made while it runs, and its guest goes on', async () => {
    await mark('vda', ROOT_MIB - 2, 'a');
    await mark('vdb', DATA_MIB - 2, 'a');
    const volumes = [vm.volumeId, dataId].map((volumeId) =>
      VolumeToSnapshot.create({ intent: intentOf(volumeId), poolId, snapshotId }),
    );
    for (let time = 0; time < 2; time += 1) {
      const request = { volumes, vmId: vm.vmId, freezeTimeoutMs: 10_000 };
      expect(await calls().unary(calls().client.snapshotVolumes, request)).toMatchObject({
        volumes: [{ chainLength: 3 }, { chainLength: 2 }],
      });
    }
    await mark('vda', ROOT_MIB - 2, 'b');
    await mark('vdb', DATA_MIB - 2, 'b');
  });

  it('sees its disks grow, also under an agent that was started since', async () => {
    await agent.close();
    await start();
    for (const [volumeId, mib] of [
      [vm.volumeId, ROOT_MIB],
      [dataId, DATA_MIB],
    ] as const) {
      const request = { intent: intentOf(volumeId), poolId, sizeBytes: (mib + 8) * MIB, vmId: vm.vmId };
      const grown = await calls().unary(calls().client.growVolume, request);
      expect(grown).toMatchObject({ volume: { sizeBytes: (mib + 8) * MIB } });
    }
    const sectors = await run('cat /sys/block/vda/size /sys/block/vdb/size');
    expect(sectors.split('\n').map((count) => (Number(count) * 512) / MIB)).toEqual([ROOT_MIB + 8, DATA_MIB + 8]);
  });

  it('stands still when its pool is full, says what it waits for, and goes on by itself', async () => {
    const ballast = join(path, 'ballast');
    const { bfree, bsize } = JSON.parse(
      execFileSync('stat', ['-f', '-c', '{"bfree":%f,"bsize":%S}', path], { encoding: 'utf8' }),
    );
    writeFileSync(ballast, Buffer.alloc(bfree * bsize - 8 * MIB));
    const writing = run('dd if=/dev/urandom of=/dev/vdb bs=1M count=24 conv=notrunc,fsync 2>/dev/null; echo done');
    const detail = await eventually('the condition', GUEST_MS, async () => {
      const condition = (await observe())?.conditions.find(({ kind }) => kind === 'disk-full');
      return condition?.detail.includes('waiting for') === true && condition.detail;
    });
    expect(detail).toContain(`waiting for storage pool ${poolId} to be below its high-water mark`);
    expect((await observe())?.power).toBe(PowerState.POWER_STATE_PAUSED);
    rmSync(ballast);
    execFileSync('mount', ['-o', `remount,size=${4 * sizeMib}m`, path]);
    expect(await writing).toBe('done');
    await eventually('no condition', GUEST_MS, async () => (await observe())?.conditions.length === 0);
    expect((await observe())?.power).toBe(PowerState.POWER_STATE_RUNNING);
  });

  it('is what it was after its disks were reverted, and leaves them free when it has stopped', async () => {
    await ensureVm(PowerState.POWER_STATE_STOPPED, 1);
    for (const volumeId of [vm.volumeId, dataId]) {
      const request = { intent: intentOf(volumeId), poolId, snapshotId, revertId: newId<string>() };
      const answer: { volume: VolumeReport | undefined } = await calls().unary(calls().client.revertVolume, request);
      expect(answer.volume).toMatchObject({ holder: undefined });
    }
    await ensureVm(PowerState.POWER_STATE_RUNNING, 2);
    await guestIsUp();
    expect([await marked('vda', ROOT_MIB - 2), await marked('vdb', DATA_MIB - 2)]).toEqual(['a', 'a']);
  });
});
