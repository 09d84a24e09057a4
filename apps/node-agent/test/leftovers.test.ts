import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newId } from '@kvorum/schema';
import type { SweepHostResponse } from '@kvorum/schema/agent-wire';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentCalls, MIB, SimulatedHost, TestVm } from './simulated-host.js';
import { SimulatedSite } from './simulated-site.js';

const HOUR_MS = 3_600_000;

let site: SimulatedSite;
let host: SimulatedHost;
beforeEach(async () => {
  site = await SimulatedSite.start();
  host = await SimulatedHost.create(site);
  await host.start();
});
afterEach(async () => {
  await host.remove();
  site.close();
});

const calls = () => new AgentCalls(site.agentClient(host.agent!));
const sweep = (orphanAgeMs = 0, imageSha256s: string[] = []): Promise<SweepHostResponse> =>
  calls().unary(calls().client.sweepHost, { orphanAgeMs, imageSha256s });
const below = (...names: string[]): string => join(host.stateDir, ...names);

async function write(...names: string[]): Promise<void> {
  await mkdir(below(...names.slice(0, -1)), { recursive: true });
  await writeFile(below(...names), 'x'.repeat(5_000));
}

async function aVm(): Promise<TestVm> {
  const vm = new TestVm();
  const disk = { volumeId: vm.volumeId, sizeBytes: MIB, imageId: '', imageSha256: '' };
  await calls().unary(calls().client.ensureDisk, { intent: vm.intent(1), ...disk });
  await calls().ensureVm(vm.request(vm.intent(2)));
  return vm;
}

async function anImage(): Promise<string> {
  const imageId = newId<string>();
  const content = Buffer.from(imageId);
  site.images.set(imageId, content);
  const sha256 = createHash('sha256').update(content).digest('hex');
  for await (const _ of calls().client.ensureImage({ imageId, sha256, sizeBytes: content.byteLength, peers: [] }));
  return sha256;
}

describe('a sweep of a host', () => {
  it('leaves everything alone that belongs to a VM of the host', async () => {
    const vm = await aVm();
    await write('firmware', vm.vmId, 'vars.fd');
    await write('disks', vm.vmId, 'seed.iso');
    const before = await readdir(host.stateDir, { recursive: true });
    expect(await sweep()).toEqual({ quarantined: [], removed: [], faults: [], vmIds: [vm.vmId], templateIds: [] });
    expect(await readdir(host.stateDir, { recursive: true })).toEqual(before);
  });

  it.each([
    ['disks of a VM that the host does not know', 'disks', (id: string) => ['disks', id, `${newId()}.qcow2`]],
    ['firmware of such a VM', 'firmware', (id: string) => ['firmware', id, 'vars.fd']],
  ])('puts %s into quarantine, with its owner and its size', async (_, kind, pathOf) => {
    const owner = newId<string>();
    const path = pathOf(owner);
    await write(...path);
    const { quarantined } = await sweep();
    expect(quarantined).toEqual([
      { kind, ownerId: owner, sizeBytes: 8192, sinceMs: expect.any(Number), name: expect.stringContaining(owner) },
    ]);
    expect(existsSync(below(...path.slice(0, 2)))).toBe(false);
    expect(existsSync(below('quarantine', quarantined[0]?.name ?? '', ...path.slice(1)))).toBe(true);
    // Told again until somebody removes it.
    expect((await sweep()).quarantined).toEqual(quarantined);
  });

  it('puts a disk into quarantine that its VM has not on record, and no other of that VM', async () => {
    const vm = await aVm();
    await write('disks', vm.vmId, `${newId()}.qcow2`);
    const { quarantined } = await sweep();
    expect(quarantined).toMatchObject([{ kind: 'disk', ownerId: vm.vmId }]);
    expect(await sweep()).toMatchObject({ quarantined });
  });

  it('finds what was made for a VM after its removal', async () => {
    const vm = await aVm();
    await calls().unary(calls().client.removeVm, { intent: vm.intent(3) });
    await write('disks', vm.vmId, `${newId()}.qcow2`);
    expect((await sweep()).quarantined).toMatchObject([{ kind: 'disks', ownerId: vm.vmId }]);
  });

  it('ends nothing and removes nothing that may be being made', async () => {
    const owner = newId<string>();
    await write('disks', owner, 'new.qcow2');
    await mkdir(host.runDirOf(owner));
    expect(await sweep(HOUR_MS)).toMatchObject({ quarantined: [], removed: [] });
    expect(existsSync(below('disks', owner, 'new.qcow2'))).toBe(true);
  });

  it('removes the run folder of a VM that the host does not know', async () => {
    const owner = newId<string>();
    await mkdir(host.runDirOf(owner));
    expect((await sweep()).removed).toMatchObject([{ kind: 'run-folder', ownerId: owner }]);
    expect(existsSync(host.runDirOf(owner))).toBe(false);
  });

  it('does not touch folders that are not named as those of VMs', async () => {
    await write('disks', 'lost+found', 'file');
    expect(await sweep()).toMatchObject({ quarantined: [], removed: [], faults: [] });
  });
});

describe('an image of the cache', () => {
  it('goes when the site has it no more, nothing rests on it, and nobody has asked for it lately', async () => {
    const [gone, kept, used] = [await anImage(), await anImage(), await anImage()];
    const vm = new TestVm();
    const disk = { volumeId: vm.volumeId, sizeBytes: MIB, imageId: newId<string>(), imageSha256: used };
    await calls().unary(calls().client.ensureDisk, { intent: vm.intent(1), ...disk });
    expect((await sweep(HOUR_MS, [kept])).removed).toEqual([]);
    const longAgo = new Date(Date.now() - 2 * HOUR_MS);
    for (const sha256 of [gone, kept, used]) await utimes(below('images', `${sha256}.qcow2`), longAgo, longAgo);
    expect((await sweep(HOUR_MS, [kept])).removed).toMatchObject([{ kind: 'image', ownerId: gone, sizeBytes: 36 }]);
    expect((await readdir(below('images'))).sort()).toEqual([`${kept}.qcow2`, `${used}.qcow2`].sort());
  });

  it('stays while a record of this host cannot be read: nobody knows what rests on it', async () => {
    const sha256 = await anImage();
    await host.agent?.close();
    await writeFile(below('vms', `${newId()}.json`), 'damaged');
    await host.start();
    expect((await sweep()).removed).toEqual([]);
    expect(existsSync(below('images', `${sha256}.qcow2`))).toBe(true);
  });
});

describe('an entry of the quarantine', () => {
  it('is removed by its name, once and again', async () => {
    await write('disks', newId<string>(), 'a.qcow2');
    const [entry] = (await sweep()).quarantined;
    const remove = (name: string) => calls().unary(calls().client.removeLeftover, { name });
    await remove(entry?.name ?? '');
    await remove(entry?.name ?? '');
    expect(await sweep()).toMatchObject({ quarantined: [] });
    expect(await readdir(below('quarantine'))).toEqual([]);
  });

  it.each(['', '..', '../disks', 'disks', 'disks.x.1', 'disks.00000000-0000-0000-0000-000000000000.1/../..'])(
    'has no name such as "%s"',
    async (name) => {
      await expect(calls().unary(calls().client.removeLeftover, { name })).rejects.toMatchObject({
        code: 'invalid_request',
      });
    },
  );

  it('is forgotten when a crash left it empty', async () => {
    await mkdir(below('quarantine', `disks.${newId()}.1`), { recursive: true });
    expect((await sweep()).quarantined).toEqual([]);
    expect(await readdir(below('quarantine'))).toEqual([]);
  });
});
