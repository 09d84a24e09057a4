import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError, newId, PLAIN_HARDWARE } from '@kvorum/schema';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MonitorWatch } from '../src/vm/monitor-watch.js';
import type { VmActor } from '../src/vm/vm-actor.js';
import type { Intent } from '../src/vm/vm-actor-rules.js';
import type { VmRecord, VmSpec } from '../src/vm/vm-record.js';
import { MortalHost } from './mortal-host.js';
import { AgentCalls, MIB, SimulatedHost, silentLog, TestVm } from './simulated-host.js';
import { SimulatedSite } from './simulated-site.js';

const VM = newId<VmRecord['vmId']>();
const VOLUME = newId<VmSpec['rootVolumeId']>();
const SPEC: VmSpec = {
  name: 'web',
  vcpuCount: 1,
  memoryBytes: 64 * MIB,
  accelerator: 'tcg',
  balloon: null,
  cloudInit: null,
  hardware: PLAIN_HARDWARE,
  rootVolumeId: VOLUME,
  templateId: null,
  pooledVolumes: [],
};
const intent = (generation: number): Intent => ({
  vmId: VM,
  generation,
  fencingToken: 1,
  epoch: 1,
  operationId: newId(),
});
const RUNNING = { power: 'running', reset: false } as const;
const INTERVAL_MS = 20;
const WAIT = { timeout: 10_000, interval: 10 };

let host: MortalHost;
let actor: VmActor;
let watch: MonitorWatch;
beforeEach(async () => {
  host = await MortalHost.create(VM);
  actor = await host.start();
  await actor.ensureDisk(intent(1), { volumeId: VOLUME, sizeBytes: 16 * MIB, imageSha256: 'ab'.repeat(32) });
  await actor.ensureVm(intent(2), SPEC, RUNNING);
  watch = new MonitorWatch(() => [actor], silentLog, { intervalMs: INTERVAL_MS, timeoutMs: INTERVAL_MS });
  watch.start();
});
afterEach(async () => {
  watch.stop();
  await host.remove();
});

const process = () => host.machine.processOf(VM);
const kinds = () => actor.snapshot()?.conditions.map(({ kind }) => kind);

describe('a VM that hangs', () => {
  it('is found, keeps its process, and is well again when it answers', async () => {
    process().isHung = true;
    await vi.waitFor(() => expect(kinds()).toEqual(['hung']), WAIT);
    const since = actor.snapshot()?.conditions[0]?.sinceMs;
    expect(actor.snapshot()).toMatchObject({ power: 'running', pid: process().pid });
    expect(actor.snapshot()?.conditions[0]?.sinceMs).toBe(since);
    process().isHung = false;
    await vi.waitFor(() => expect(kinds()).toEqual([]), WAIT);
    expect(host.machine.launches).toHaveLength(1);
  });

  it('is taken over by a restarted agent as it is, and ended only on request', async () => {
    process().isHung = true;
    const { pid } = process();
    actor = await host.start();
    expect(actor.snapshot()).toMatchObject({ power: 'running', pid, conditions: [{ kind: 'hung' }] });
    expect(process().pid).toBe(pid);
    const stopped = await actor.ensureVm(intent(3), SPEC, { power: 'stopped', graceMs: 0 });
    expect(stopped).toMatchObject({ power: 'stopped', exit: { reason: 'requested' }, conditions: [] });
  });
});

describe('a VM whose device tells of something', () => {
  it('says that its TPM has ended for as long as it runs, also to the next agent', async () => {
    process().deviceEvents.tell({ kind: 'tpm-lost', detail: 'swtpm has ended' });
    expect(actor.snapshot()?.conditions).toMatchObject([{ kind: 'tpm-lost', detail: 'swtpm has ended' }]);
    actor = await host.start();
    expect(kinds()).toEqual(['tpm-lost']);
    await actor.ensureVm(intent(3), SPEC, { power: 'stopped', graceMs: 0 });
    expect(kinds()).toEqual([]);
  });

  it('says that its watchdog ran out and what was done', async () => {
    process().deviceEvents.tell({ kind: 'watchdog-expired', action: 'reset' });
    expect(actor.snapshot()?.conditions).toMatchObject([
      { kind: 'watchdog-expired', detail: 'the guest stopped feeding its watchdog; it was reset' },
    ]);
    expect(actor.snapshot()?.power).toBe('running');
  });
});

describe('a VM that cannot be examined when the agent starts', () => {
  it('is said to be so, is not acted upon, and is taken up when it can be', async () => {
    const { pid } = process();
    watch.stop();
    // The start of the agent, and the request that finds the same obstacle.
    for (const _ of [1, 2]) host.machine.failNextAdopt(new DomainError('host_fault', 'too many open files'));
    actor = await host.start();
    expect(actor.snapshot()).toMatchObject({
      power: 'unknown',
      exit: null,
      conditions: [{ kind: 'unexamined', detail: 'too many open files' }],
    });
    await expect(actor.ensureVm(intent(3), SPEC, RUNNING)).rejects.toMatchObject({ code: 'unavailable' });
    expect(host.machine.launches).toHaveLength(1);
    watch.start();
    await vi.waitFor(() => expect(actor.snapshot()).toMatchObject({ power: 'running', pid, conditions: [] }), WAIT);
  });
});

describe('a VM whose disk is full', () => {
  const fillDisk = () => {
    process().diskFault = { kind: 'full', detail: 'No space left on device' };
    process().changePowerUnasked('paused');
  };

  it('says so, and goes on by itself when there is space', async () => {
    // How much space it has cannot be known then.
    await rm(join(host.folder, 's', 'disks', VM), { recursive: true });
    fillDisk();
    await vi.waitFor(
      () =>
        expect(actor.snapshot()).toMatchObject({
          power: 'paused',
          conditions: [{ kind: 'disk-full', detail: 'No space left on device' }],
        }),
      WAIT,
    );
    await mkdir(join(host.folder, 's', 'disks', VM), { recursive: true });
    await vi.waitFor(() => expect(actor.snapshot()).toMatchObject({ power: 'running', conditions: [] }), WAIT);
  });

  it('stays paused if it was meant to be paused', async () => {
    await actor.ensureVm(intent(3), SPEC, { power: 'paused' });
    fillDisk();
    await vi.waitFor(() => expect(kinds()).toEqual(['disk-full']), WAIT);
    await actor.resumeWithSpace();
    expect(actor.snapshot()?.power).toBe('paused');
  });
});

describe('the record of a VM that nobody understands', () => {
  it('keeps that VM from being touched and no other from being run', async () => {
    const site = await SimulatedSite.start();
    const machine = await SimulatedHost.create(site);
    try {
      await machine.start();
      const vm = new TestVm();
      const path = join(machine.stateDir, 'vms', `${vm.vmId}.json`);
      await writeFile(path, '{"version":');
      await machine.restart();
      const calls = new AgentCalls(site.agentClient(machine.agent!));
      expect((await calls.observeVms()).vms).toMatchObject([
        { vmId: vm.vmId, epoch: 0, power: 0, conditions: [{ kind: 'record-unreadable' }] },
      ]);
      await expect(calls.ensureVm(vm.request(vm.intent(9)))).rejects.toMatchObject({ code: 'host_fault' });
      expect(machine.machine.launches).toEqual([]);
      expect(await readFile(path, 'utf8')).toBe('{"version":');
    } finally {
      await machine.remove();
      site.close();
    }
  });
});
