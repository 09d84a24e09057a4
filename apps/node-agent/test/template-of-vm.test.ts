import { newId, PLAIN_HARDWARE } from '@kvorum/schema';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { VmActor } from '../src/vm/vm-actor.js';
import type { Intent } from '../src/vm/vm-actor-rules.js';
import type { VmRecord, VmSpec } from '../src/vm/vm-record.js';
import { MortalHost } from './mortal-host.js';
import { MIB } from './simulated-host.js';

const VM = newId<VmRecord['vmId']>();
const VOLUME = newId<VmSpec['rootVolumeId']>();
const SPEC: VmSpec = {
  ...{ name: 'web', vcpuCount: 1, memoryBytes: 64 * MIB, accelerator: 'tcg', balloon: null },
  ...{ hardware: PLAIN_HARDWARE, cloudInit: null, rootVolumeId: VOLUME, templateId: null, pooledVolumes: [] },
};
const DISK = { volumeId: VOLUME, sizeBytes: 16 * MIB, imageSha256: 'ab'.repeat(32) };
const RUNNING = { power: 'running', reset: false } as const;
const intent = (generation: number, epoch = 1, fencingToken = 1): Intent => ({
  ...{ vmId: VM, generation, fencingToken, epoch, operationId: newId() },
});
/** More writes and calls than freezing or forking takes. */
const STEPS_MAX = 24;
const WAIT = { timeout: 10_000, interval: 10 };

let host: MortalHost;
let actor: VmActor;
let templateId: string;
beforeEach(async () => {
  host = await MortalHost.create(VM);
  templateId = newId();
  actor = await host.start();
  await actor.ensureDisk(intent(1), DISK);
  await actor.ensureVm(intent(2), SPEC, RUNNING);
});
afterEach(() => host.remove());

const process = () => host.machine.processOf(VM);

describe('a template of a VM', () => {
  it('is made once, and found again whatever the VM does by then', async () => {
    const facts = await actor.freezeTemplate(intent(3), templateId, false);
    expect(process().power).toBe('running');
    await actor.ensureVm(intent(4), SPEC, { power: 'stopped', graceMs: 0 });
    expect(await actor.freezeTemplate(intent(5), templateId, false)).toEqual(facts);
  });

  it('leaves the VM standing still when it is its last deed', async () => {
    await actor.freezeTemplate(intent(3), templateId, true);
    expect(actor.snapshot()).toMatchObject({ power: 'paused' });
  });

  it('is refused for a VM that does not run, and by an intent that a newer one has overtaken', async () => {
    await actor.ensureVm(intent(3), SPEC, { power: 'stopped', graceMs: 0 });
    await expect(actor.freezeTemplate(intent(3), templateId, false)).rejects.toMatchObject({ code: 'conflict_state' });
    await expect(actor.freezeTemplate(intent(2), templateId, false)).rejects.toMatchObject({
      code: 'stale_generation',
    });
  });

  it('that was removed is not made again by a late request', async () => {
    await actor.freezeTemplate(intent(3), templateId, false);
    await host.templates.remove(templateId);
    await host.templates.remove(templateId);
    await expect(actor.freezeTemplate(intent(3), templateId, false)).rejects.toMatchObject({
      code: 'stale_generation',
    });
    actor = await host.start();
    await expect(actor.freezeTemplate(intent(3), templateId, false)).rejects.toMatchObject({
      code: 'stale_generation',
    });
  });

  it('leaves the VM running, wherever the agent dies, also twice', async () => {
    for (let steps = 0; steps < STEPS_MAX; steps += 1) {
      const id = newId();
      const once = await host.within(steps, (one) =>
        one.freezeTemplate(intent(3 + steps), id, false).catch(() => null),
      );
      expect(process().power, `after ${steps} steps`).toBe('running');
      expect(host.written?.freezingTemplateId).toBeNull();
      await host.within(Math.floor(steps / 2), (one) =>
        one.freezeTemplate(intent(3 + steps, 1, 2), id, false).catch(() => null),
      );
      expect(process().power, `after ${steps} steps, again`).toBe('running');
      if (once !== 'killed') break;
    }
    expect(host.machine.launches).toHaveLength(1);
  });
});

describe('a fork', () => {
  const FORK = newId<VmRecord['vmId']>();
  const forkIntent = (generation: number, epoch = 1): Intent => ({ ...intent(generation, epoch), vmId: FORK });
  const forkDisk = () => ({ ...DISK, imageSha256: null, templateId });
  const forkSpec = (): VmSpec => ({ ...SPEC, name: 'fork', templateId });
  let forkHost: MortalHost;
  beforeEach(async () => {
    process().print('COUNT 1');
    process().tick();
    await actor.freezeTemplate(intent(3), templateId, false);
    forkHost = await host.neighbour(FORK);
    await (await forkHost.start()).ensureDisk(forkIntent(1), forkDisk());
  });
  const fork = () => host.machine.processOf(FORK);

  it('goes on where the template stood still, and boots from its disk from then on', async () => {
    await forkHost.actor.ensureVm(forkIntent(2), forkSpec(), RUNNING);
    expect(fork().counted).toBeGreaterThan(0);
    await forkHost.actor.ensureVm(forkIntent(3, 2), forkSpec(), RUNNING);
    expect(fork().counted).toBe(0);
    expect(fork().launch.machineType).toBe(process().launch.machineType);
    expect(fork().launch.firmware.generationId).not.toBe(process().launch.firmware.generationId);
  });

  it('keeps its template from being removed until it is removed itself', async () => {
    await expect(forkHost.templates.remove(templateId)).rejects.toMatchObject({ code: 'in_use' });
    await forkHost.actor.removeVm(forkIntent(2));
    await forkHost.templates.remove(templateId);
    expect(forkHost.templates.find(templateId)).toBeNull();
  });

  it('is given the time by its guest agent, and says what it was not given', async () => {
    await forkHost.actor.ensureVm(forkIntent(2), forkSpec(), RUNNING);
    await vi.waitFor(() => expect(forkHost.written?.fork).toEqual({ hasRun: true, isFresh: true }), WAIT);
    expect(fork().guest.clockMs).not.toBeNull();
    // The guest of the fake has no shell.
    expect(forkHost.actor.snapshot()?.conditions).toMatchObject([{ kind: 'identity-stale' }]);
  });

  it('forks from an untouched disk, and never once its guest has run, wherever the agent dies', async () => {
    for (let steps = 0; steps < STEPS_MAX; steps += 1) {
      const epoch = steps + 1;
      const outcome = await forkHost.within(steps, (one) =>
        one.ensureVm(forkIntent(2 + steps, epoch), forkSpec(), RUNNING).catch(() => null),
      );
      const hasRun = forkHost.written?.fork.hasRun === true;
      if (hasRun) {
        await forkHost.actor.ensureVm(forkIntent(3 + steps, epoch + 1), forkSpec(), RUNNING);
        expect(fork().counted).toBe(0);
        return;
      }
      expect(outcome, `after ${steps} steps`).toBe('killed');
    }
    throw new Error('the fork never ran');
  });
});
