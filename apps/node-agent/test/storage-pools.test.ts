import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdir, open, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LayerMerge } from '@kvorum/hypervisor-driver';
import { newId, PLAIN_HARDWARE, VmDevices, VmHardware } from '@kvorum/schema';
import {
  type CloneVolumeResponse,
  type EnsureVolumeResponse,
  type NodeAgentClient,
  type ObserveVolumeResponse,
  type PoolReport,
  PowerState,
  type VolumeIntent,
  type VolumeReport,
} from '@kvorum/schema/agent-wire';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AgentCalls, MIB, SimulatedHost, TestVm } from './simulated-host.js';
import { SimulatedSite } from './simulated-site.js';

const WAIT = { timeout: 15_000, interval: 20 };
const ownerId = newId();

let site: SimulatedSite;
let host: SimulatedHost;
let path: string;
let poolId: string;
beforeEach(async () => {
  site = await SimulatedSite.start();
  host = await SimulatedHost.create(site);
  path = join(await realpath(host.folder), 'pool');
  await mkdir(path);
});
afterEach(async () => {
  await host.remove();
  site.close();
});

const POOL = () => ({ storagePool: [`fast=dir:${path}`] });
const calls = () => new AgentCalls(site.agentClient(host.agent!));
const reported = (): PoolReport | undefined =>
  site.reports.findLast(({ pools }) => pools !== undefined)?.pools?.pools[0];

async function start(): Promise<void> {
  await host.start(POOL());
  await vi.waitFor(() => expect(reported()).toMatchObject({ name: 'fast', fault: '' }), WAIT);
  poolId = reported()?.poolId ?? '';
}
/** Another life of the agent; what it said before does not count. */
async function restart(): Promise<void> {
  await host.agent?.close();
  site.reports.length = 0;
  await host.start(POOL());
}

const intentOf = (volumeId: string, generation = 1, fencingToken = 1): VolumeIntent => ({
  volumeId,
  generation,
  fencingToken,
  operationId: newId(),
});

async function newVolume(volumeId = newId(), sizeMib = 16): Promise<string> {
  const request = { intent: intentOf(volumeId), poolId, ownerId, sizeBytes: sizeMib * MIB, image: undefined };
  await calls().unary(calls().client.ensureVolume, request);
  return volumeId;
}

async function observe(volumeId: string): Promise<VolumeReport | undefined> {
  const answer: ObserveVolumeResponse = await calls().unary(calls().client.observeVolume, { poolId, volumeId });
  return answer.volume;
}

/** In the host's cache. */
async function anImage(): Promise<{ imageId: string; sha256: string }> {
  const file = join(host.folder, 'image.qcow2');
  execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', file, '2M']);
  const content = await readFile(file);
  const image = { imageId: newId<string>(), sha256: createHash('sha256').update(content).digest('hex') };
  site.images.set(image.imageId, content);
  for await (const _ of calls().client.ensureImage({ ...image, sizeBytes: content.byteLength, peers: [] }));
  return image;
}

interface PooledVm {
  readonly vm: TestVm;
  readonly dataId: string;
  /** Brings it to a power, under claims of this epoch. */
  ensure(power: PowerState, generation: number, claimEpoch?: number): Promise<void>;
}
/** A VM whose root disk and whose data disk lie on the pool. */
async function pooledVm(): Promise<PooledVm> {
  const vm = new TestVm();
  await newVolume(vm.volumeId);
  const dataId = await newVolume();
  const devices = VmDevices.parse({ dataDisks: [{ id: dataId, sizeBytes: 16 * MIB, slot: 1 }] });
  const hardware = VmHardware.parse({ ...PLAIN_HARDWARE, devices });
  const ensure = async (power: PowerState, generation: number, claimEpoch = generation): Promise<void> => {
    const pooledVolumes = [vm.volumeId, dataId].map((volumeId) => ({ volumeId, poolId, claimEpoch }));
    const spec = vm.spec({ hardware, pooledVolumes });
    await calls().ensureVm(vm.request(vm.intent(generation, generation), { spec, power }));
  };
  return { vm, dataId, ensure };
}
const running = PowerState.POWER_STATE_RUNNING;
const stopped = PowerState.POWER_STATE_STOPPED;
const fileOf = (volumeId: string, layerId = volumeId) => join(path, 'layers', `${volumeId}.${layerId}.qcow2`);

describe('a storage pool of a host', () => {
  it('is made of an empty folder, told with its room, and the same after a restart', async () => {
    await start();
    expect(reported()).toMatchObject({ driver: 'dir', capabilities: { hasSnapshots: true, isShared: false } });
    expect(reported()?.totalBytes).toBeGreaterThan(0);
    expect(JSON.parse(await readFile(join(path, 'pool.json'), 'utf8'))).toMatchObject({ poolId });
    await restart();
    await vi.waitFor(() => expect(reported()).toMatchObject({ poolId, fault: '' }), WAIT);
  });

  it('that is not there keeps no agent from starting, and is used as soon as it is there', async () => {
    await start();
    const volumeId = await newVolume();
    await host.agent?.close();
    await rename(path, `${path}-away`);
    await mkdir(path);
    site.reports.length = 0;
    await host.start(POOL());
    await vi.waitFor(() => expect(reported()?.fault).toContain('is its file system mounted?'), WAIT);
    expect(reported()).toMatchObject({ poolId, capabilities: undefined, totalBytes: 0 });
    await expect(observe(volumeId)).rejects.toMatchObject({ code: 'unavailable' });
    await rm(path, { recursive: true });
    await rename(`${path}-away`, path);
    expect(await observe(volumeId)).toMatchObject({ volumeId, state: 'ready' });
    await vi.waitFor(() => expect(reported()?.fault).toBe(''), WAIT);
  });

  it('that holds something else is a fault that says so', async () => {
    await writeFile(join(path, 'somebodys'), 'data');
    await host.start(POOL());
    await vi.waitFor(() => expect(reported()?.fault).toContain('a new pool needs an empty folder'), WAIT);
    expect(await readFile(join(path, 'somebodys'), 'utf8')).toBe('data');
  });
});

describe('volumes on a pool', () => {
  beforeEach(start);

  it('are made once, from an image too, as often as they are asked for', async () => {
    const { client } = calls();
    const image = await anImage();
    const volumeId = newId();
    const request = { intent: intentOf(volumeId), poolId, ownerId, sizeBytes: 4 * MIB, image };
    for (let time = 0; time < 2; time += 1) {
      const { volume }: EnsureVolumeResponse = await calls().unary(client.ensureVolume, request);
      expect(volume).toMatchObject({ volumeId, ownerId, sizeBytes: 4 * MIB, state: 'ready', chainLength: 2 });
    }
    expect(await observe(image.imageId)).toMatchObject({ ownerId: site.siteId, sizeBytes: 2 * MIB });
    expect(await observe(newId())).toBeUndefined();
  });

  it('go through all that can be done to them; what comes late is refused', async () => {
    const { client } = calls();
    const unary: AgentCalls['unary'] = (method, request) => calls().unary(method, request);
    const volumeId = await newVolume();
    const [snapshotId, cloneId, revertId] = [newId(), newId(), newId()];
    const intent = intentOf(volumeId, 2);
    const on = { intent, poolId };
    const volumes = [{ ...on, snapshotId }];
    const asked = { volumes, vmId: '', freezeTimeoutMs: 0 };
    expect(await unary(client.snapshotVolumes, asked)).toMatchObject({
      volumes: [{ volumeId, snapshots: [{ id: snapshotId, sizeBytes: 16 * MIB }] }],
      wasFrozen: false,
    });
    await unary(client.growVolume, { ...on, sizeBytes: 20 * MIB, vmId: '' });
    const reverted = await unary(client.revertVolume, { ...on, snapshotId, revertId });
    expect(reverted).toMatchObject({ volume: { sizeBytes: 16 * MIB } });
    const source = { sourceVolumeId: volumeId, sourceSnapshotId: snapshotId };
    const clone = { intent: intentOf(cloneId), poolId, ownerId, ...source, isLinked: false };
    expect((await cloned(client, clone)).at(-1)).toMatchObject({ doneFraction: 1, volume: { volumeId: cloneId } });
    await unary(client.removeVolumeSnapshot, { ...on, snapshotId });
    await unary(client.removeVolume, on);
    expect((await observe(volumeId))?.state).toBe('trashed');
    await unary(client.restoreVolume, on);
    await unary(client.removeVolume, on);
    await unary(client.purgeVolume, on);
    expect(await observe(volumeId)).toBeUndefined();
    const late = { intent: intentOf(volumeId, 1), poolId, ownerId, sizeBytes: 16 * MIB, image: undefined };
    await expect(unary(client.ensureVolume, late)).rejects.toMatchObject({ code: 'stale_generation' });
    const swept = await unary(client.sweepPool, { poolId, trashKeepMs: 0, orphanAgeMs: 0 });
    expect(swept).toEqual({ purgedVolumeIds: [], quarantined: [], faults: [], setAside: [] });
  });

  it('tell of what lies aside on their pool until somebody has it removed', async () => {
    const agent = calls();
    const { client } = agent;
    const name = `${newId()}.${newId()}.qcow2`;
    await writeFile(join(path, 'layers', name), 'x'.repeat(5_000));
    const sweep = () => agent.unary(client.sweepPool, { poolId, trashKeepMs: 0, orphanAgeMs: 0 });
    expect(await sweep()).toMatchObject({ quarantined: [{ name }], setAside: [{ name, sizeBytes: 8192 }] });
    expect(await sweep()).toMatchObject({ quarantined: [], setAside: [{ name }] });
    for (let time = 0; time < 2; time += 1) await agent.unary(client.removeSetAside, { poolId, name });
    expect(await sweep()).toMatchObject({ setAside: [] });
    await expect(agent.unary(client.removeSetAside, { poolId, name: '../pool.json' })).rejects.toMatchObject({
      code: 'invalid_request',
    });
  });

  it.each<[string, (client: NodeAgentClient) => Promise<unknown>]>([
    ['poolId', (client) => calls().unary(client.observeVolume, { poolId: '../x', volumeId: newId() })],
    ['intent.volumeId', (client) => calls().unary(client.removeVolume, { intent: intentOf('../../etc'), poolId })],
    ['volumes', (client) => calls().unary(client.snapshotVolumes, { volumes: [], vmId: '', freezeTimeoutMs: 0 })],
  ])('refuse a request with a bad %s', async (field, ask) => {
    await expect(ask(calls().client)).rejects.toMatchObject({
      code: 'invalid_request',
      details: { fields: [{ field }] },
    });
  });

  it('of a pool that the host was not given are not found', async () => {
    const request = { poolId: randomUUID(), volumeId: newId() };
    await expect(calls().unary(calls().client.observeVolume, request)).rejects.toMatchObject({ code: 'not_found' });
  });
});

async function cloned(client: NodeAgentClient, request: Parameters<NodeAgentClient['cloneVolume']>[0]) {
  const messages: CloneVolumeResponse[] = [];
  for await (const message of client.cloneVolume(request) as AsyncIterable<CloneVolumeResponse>) messages.push(message);
  return messages;
}

describe('a VM with disks on a pool', () => {
  beforeEach(start);

  it('has its volumes for itself while it runs, also over a restart of the agent, and not longer', async () => {
    const { vm, dataId, ensure } = await pooledVm();
    await ensure(running, 1);
    const holder = { hostId: host.agent?.hostId, epoch: 1 };
    for (const id of [vm.volumeId, dataId]) expect((await observe(id))?.holder).toEqual(holder);
    const { launch } = host.machine.processOf(vm.vmId);
    expect(launch).toMatchObject({
      diskPath: fileOf(vm.volumeId),
      rootBases: [],
      attachments: { disks: { [dataId]: fileOf(dataId) }, bases: { [dataId]: [] } },
    });
    await restart();
    await ensure(stopped, 2);
    for (const id of [vm.volumeId, dataId]) expect((await observe(id))?.holder).toBeUndefined();
  });

  it('gives its volumes back when its process has ended while no agent was there', async () => {
    const { vm, dataId, ensure } = await pooledVm();
    await ensure(running, 1);
    await host.agent?.close();
    host.machine.processOf(vm.vmId).exit({ reason: 'crash', detail: 'gone' });
    await restart();
    for (const id of [vm.volumeId, dataId]) expect((await observe(id))?.holder).toBeUndefined();
  });

  it('gives them back later when the pool was away as it ended', async () => {
    const { vm, ensure } = await pooledVm();
    await ensure(running, 1);
    await rename(path, `${path}-away`);
    await ensure(stopped, 2);
    await rename(`${path}-away`, path);
    await vi.waitFor(async () => expect((await observe(vm.volumeId))?.holder).toBeUndefined(), WAIT);
  });

  it('is not started on volumes that were given to another since', async () => {
    const { vm, dataId, ensure } = await pooledVm();
    const record = join(path, 'volumes', `${dataId}.json`);
    const elsewhere = { ...JSON.parse(await readFile(record, 'utf8')), holder: { hostId: newId(), epoch: 5 } };
    await writeFile(record, JSON.stringify(elsewhere));
    await expect(ensure(running, 1, 4)).rejects.toMatchObject({ code: 'conflict_state' });
    expect(host.machine.launches).toEqual([]);
    expect((await observe(vm.volumeId))?.holder).toBeUndefined();
    await ensure(running, 2, 6);
    expect((await observe(dataId))?.holder).toEqual({ hostId: host.agent?.hostId, epoch: 6 });
  });

  it('has snapshots made of all its disks at one instant, its guest frozen for that and no longer', async () => {
    const { vm, dataId, ensure } = await pooledVm();
    await ensure(running, 1);
    const ids = [vm.volumeId, dataId];
    const snapshotId = newId();
    const volumes = ids.map((id) => ({ intent: intentOf(id, 2), poolId, snapshotId }));
    const request = { volumes, vmId: vm.vmId, freezeTimeoutMs: 5000 };
    const first = await calls().unary(calls().client.snapshotVolumes, request);
    expect(first).toMatchObject({ wasFrozen: true, volumes: ids.map((volumeId) => ({ volumeId, chainLength: 2 })) });
    const { machine, guest } = host.machine.processOf(vm.vmId);
    expect(guest.isFrozen).toBe(false);
    expect(machine).toMatchObject({
      diskPath: fileOf(vm.volumeId, snapshotId),
      attachments: { disks: { [dataId]: fileOf(dataId, snapshotId) } },
    });
    // Once more, as after a lost answer: nothing is switched again, and nobody can say for it that it was frozen.
    const again = await calls().unary(calls().client.snapshotVolumes, request);
    expect(again).toMatchObject({ wasFrozen: false, volumes: ids.map((volumeId) => ({ volumeId, chainLength: 2 })) });
  });

  it('has a snapshot although its guest cannot be frozen, and that is said', async () => {
    const { vm, ensure } = await pooledVm();
    await ensure(running, 1);
    host.machine.processOf(vm.vmId).hasGuestAgent = false;
    const volumes = [{ intent: intentOf(vm.volumeId, 2), poolId, snapshotId: newId() }];
    const request = { volumes, vmId: vm.vmId, freezeTimeoutMs: 1000 };
    expect(await calls().unary(calls().client.snapshotVolumes, request)).toMatchObject({ wasFrozen: false });
  });

  it('has no snapshot of a volume that is not its own: nothing is begun', async () => {
    const { vm, ensure } = await pooledVm();
    await ensure(running, 1);
    const other = await newVolume();
    const volumes = [{ intent: intentOf(other, 2), poolId, snapshotId: newId() }];
    const request = { volumes, vmId: vm.vmId, freezeTimeoutMs: 0 };
    await expect(calls().unary(calls().client.snapshotVolumes, request)).rejects.toMatchObject({
      code: 'conflict_state',
    });
    expect((await observe(other))?.snapshots).toEqual([]);
  });

  it('sees its volumes grow while it runs', async () => {
    const { vm, dataId, ensure } = await pooledVm();
    await ensure(running, 1);
    for (const id of [vm.volumeId, dataId]) {
      const request = { intent: intentOf(id, 2), poolId, sizeBytes: 24 * MIB, vmId: vm.vmId };
      for (let time = 0; time < 2; time += 1) {
        const grown = await calls().unary(calls().client.growVolume, request);
        expect(grown).toMatchObject({ volume: { sizeBytes: 24 * MIB } });
      }
    }
    expect(host.machine.processOf(vm.vmId).machine.hardware.devices).toMatchObject({
      rootDisk: { sizeBytes: 24 * MIB },
      dataDisks: [{ sizeBytes: 24 * MIB }],
    });
  });

  describe('of which it has had snapshots', () => {
    const layers = async (volumeId: string): Promise<number | undefined> => (await observe(volumeId))?.chainLength;
    /** Stands for the process that has the top layer open: a fake one opens nothing. */
    let opened: { end(): Promise<void> } | null = null;
    const close = async (): Promise<void> => {
      await opened?.end();
      opened = null;
    };
    afterEach(close);
    async function openTop(file: string): Promise<void> {
      await close();
      const child = spawn('qemu-io', ['-f', 'qcow2', file], { stdio: ['pipe', 'pipe', 'inherit'] });
      child.stdin.write('length\n');
      await once(child.stdout, 'data');
      const end = async () => {
        const gone = once(child, 'close');
        child.stdin.end();
        await gone;
      };
      opened = { end };
    }
    /** The last that a VM's process does; nothing was written to these layers, and their names have one length. */
    const merge = async ({ abovePath, baseName }: LayerMerge): Promise<void> => {
      await chmod(abovePath, 0o600);
      const above = await open(abovePath, 'r+');
      const { buffer } = await above.read(Buffer.alloc(8), 0, 8, 8);
      await above.write(Buffer.from(baseName), 0, baseName.length, Number(buffer.readBigUInt64BE(0)));
      await above.close();
    };
    async function withSnapshots(count: number) {
      const { vm, ensure } = await pooledVm();
      await ensure(running, 1);
      const process = host.machine.processOf(vm.vmId);
      process.onMerge = merge;
      const snapshotIds = Array.from({ length: count }, () => newId<string>());
      const snapshot = async (snapshotId: string) => {
        const volumes = [{ intent: intentOf(vm.volumeId, 2), poolId, snapshotId }];
        await calls().unary(calls().client.snapshotVolumes, { volumes, vmId: vm.vmId, freezeTimeoutMs: 0 });
        await openTop(process.machine.diskPath);
      };
      for (const id of snapshotIds) await snapshot(id);
      const remove = async (snapshotId: string) => {
        const request = { intent: intentOf(vm.volumeId, 2), poolId, snapshotId };
        await calls().unary(calls().client.removeVolumeSnapshot, request);
      };
      return { volumeId: vm.volumeId, snapshotIds, snapshot, remove, process };
    }

    it('is read through no more layers than they need, without a stop', async () => {
      const { volumeId, snapshotIds, remove, process } = await withSnapshots(3);
      expect(await layers(volumeId)).toBe(4);
      await remove(snapshotIds[0] ?? '');
      await vi.waitFor(async () => expect(await layers(volumeId)).toBe(3), WAIT);
      await vi.waitFor(() => expect(process.machine.rootBases).toHaveLength(2), WAIT);
      expect(process.power).toBe('running');
    });

    it('has a merge broken off for whatever else is done to the volume, and begun again', async () => {
      const { volumeId, snapshotIds, snapshot, remove, process } = await withSnapshots(2);
      process.mergesAreHeld = true;
      await remove(snapshotIds[0] ?? '');
      await vi.waitFor(() => expect([...process.merges]).toEqual(['root']), WAIT);
      await snapshot(newId<string>());
      expect(await layers(volumeId)).toBe(4);
      await vi.waitFor(() => expect([...process.merges]).toEqual(['root']), WAIT);
      process.mergesAreHeld = false;
      await vi.waitFor(async () => expect(await layers(volumeId)).toBe(3), WAIT);
    });

    it('has a merge gone on with that an earlier agent has begun', async () => {
      const { volumeId, snapshotIds, remove, process } = await withSnapshots(2);
      process.mergesAreHeld = true;
      await remove(snapshotIds[0] ?? '');
      await vi.waitFor(() => expect([...process.merges]).toEqual(['root']), WAIT);
      await host.agent?.close();
      expect([...process.merges]).toEqual(['root']);
      process.mergesAreHeld = false;
      await host.start(POOL());
      await vi.waitFor(async () => expect(await layers(volumeId)).toBe(2), WAIT);
    });

    it('has a merge finished on closed files when its process is gone', async () => {
      const { volumeId, snapshotIds, remove, process } = await withSnapshots(2);
      process.mergesAreHeld = true;
      await remove(snapshotIds[0] ?? '');
      await vi.waitFor(() => expect([...process.merges]).toEqual(['root']), WAIT);
      await close();
      process.exit({ reason: 'crash', detail: 'gone' });
      await vi.waitFor(async () => expect(await layers(volumeId)).toBe(2), WAIT);
    });
  });

  it('keeps them when it is removed from the host', async () => {
    const { vm, ensure } = await pooledVm();
    await ensure(running, 1);
    await calls().unary(calls().client.removeVm, { intent: vm.intent(2) });
    expect(await observe(vm.volumeId)).toMatchObject({ state: 'ready', holder: undefined });
  });
});
