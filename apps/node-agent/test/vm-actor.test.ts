import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { DomainError, newId, PLAIN_HARDWARE, VmHardware } from '@kvorum/schema';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { VmActor } from '../src/vm/vm-actor.js';
import type { Intent, WantedPower } from '../src/vm/vm-actor-rules.js';
import type { VmRecord, VmSpec } from '../src/vm/vm-record.js';
import { MortalHost } from './mortal-host.js';
import { MIB } from './simulated-host.js';

const VOLUME = newId<VmSpec['rootVolumeId']>();
const VM = newId<VmRecord['vmId']>();
const spec = (changes: Partial<VmSpec> = {}): VmSpec => ({
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
  ...changes,
});
const DEDICATED = VmHardware.parse({ cpuPolicy: { policy: 'dedicated' } });
const intent = (generation: number, epoch = 1, fencingToken = 1): Intent => ({
  vmId: VM,
  generation,
  fencingToken,
  epoch,
  operationId: newId(),
});
const DISK = { volumeId: VOLUME, sizeBytes: 16 * MIB, imageSha256: 'ab'.repeat(32) };
const RUNNING: WantedPower = { power: 'running', reset: false };
const RESET: WantedPower = { power: 'running', reset: true };
const PAUSED: WantedPower = { power: 'paused' };
const stopped = (graceMs = 0): WantedPower => ({ power: 'stopped', graceMs });

let host: MortalHost;
let actor: VmActor;
beforeEach(async () => {
  host = await MortalHost.create(VM);
  actor = await host.start();
  await actor.ensureDisk(intent(1), DISK);
});
afterEach(() => host.remove());

const process = () => host.machine.processOf(VM);

describe('a VM of an actor', () => {
  it('is launched once however often it is asked for', async () => {
    await Promise.all([1, 2, 3].map(() => actor.ensureVm(intent(2), spec(), RUNNING)));
    expect(host.machine.launches).toHaveLength(1);
  });

  it('starts anew under a higher epoch, after the old run has ended', async () => {
    await actor.ensureVm(intent(2), spec(), RUNNING);
    const old = process();
    expect(await actor.ensureVm(intent(3, 2), spec(), RUNNING)).toMatchObject({ epoch: 2, power: 'running' });
    expect(old.isEnded).toBe(true);
    expect(process().launch.epoch).toBe(2);
  });

  it('is paused and resumed without a new run', async () => {
    await actor.ensureVm(intent(2), spec(), RUNNING);
    expect(await actor.ensureVm(intent(3), spec(), PAUSED)).toMatchObject({ power: 'paused' });
    expect(await actor.ensureVm(intent(4), spec(), RUNNING)).toMatchObject({ power: 'running' });
    expect(host.machine.launches).toHaveLength(1);
  });

  it('is reset once per generation', async () => {
    await actor.ensureVm(intent(2), spec(), RUNNING);
    for (const token of [1, 1, 2]) await actor.ensureVm(intent(3, 1, token), spec(), RESET);
    expect(process().resetCount).toBe(1);
    await actor.ensureVm(intent(4), spec(), RESET);
    expect(process().resetCount).toBe(2);
  });

  it('that obeys the power button is not stopped hard', async () => {
    await actor.ensureVm(intent(2), spec(), RUNNING);
    const snapshot = await actor.ensureVm(intent(3), spec(), stopped(600_000));
    expect(snapshot).toMatchObject({ power: 'stopped', exit: { reason: 'requested' } });
    expect(snapshot.exit?.detail).toContain('guest-shutdown');
  });

  it('that is paused is woken to see the power button', async () => {
    await actor.ensureVm(intent(2), spec(), PAUSED);
    const snapshot = await actor.ensureVm(intent(3), spec(), stopped(600_000));
    expect(snapshot.exit?.detail).toContain('guest-shutdown');
  });

  it('that ignores the power button is stopped hard when its time is up', async () => {
    await actor.ensureVm(intent(2), spec(), RUNNING);
    process().obeysPowerButton = false;
    const snapshot = await actor.ensureVm(intent(3), spec(), stopped(50));
    expect(snapshot.exit).toEqual({ reason: 'requested', detail: 'ended on request' });
  });

  it('is stopped hard at once when a newer intent does not want to wait', async () => {
    await actor.ensureVm(intent(2), spec(), RUNNING);
    process().obeysPowerButton = false;
    const patient = actor.ensureVm(intent(3), spec(), stopped(600_000));
    const outcome = expect(patient).rejects.toMatchObject({ code: 'stale_generation' });
    await actor.ensureVm(intent(3, 1, 2), spec(), stopped(0));
    await outcome;
    expect(host.machine.processes.size).toBe(0);
  });

  it('goes on when the agent shuts down in the middle of a graceful stop, which a repeat then finishes', async () => {
    await actor.ensureVm(intent(2), spec(), RUNNING);
    process().obeysPowerButton = false;
    const stop = expect(actor.ensureVm(intent(3), spec(), stopped(600_000))).rejects.toMatchObject({
      code: 'unavailable',
    });
    await actor.close();
    await stop;
    expect(process().isEnded).toBe(false);
    const next = await host.start();
    process().obeysPowerButton = true;
    expect(await next.ensureVm(intent(3), spec(), stopped(600_000))).toMatchObject({ power: 'stopped' });
  });

  it('keeps the machine type of its first start, whatever QEMU has become', async () => {
    await actor.ensureVm(intent(2), spec(), RUNNING);
    await actor.ensureVm(intent(3), spec(), stopped(0));
    host.machine.facts.qemuMachineType = 'pc-q35-11.0';
    const next = await host.start();
    await next.ensureVm(intent(4, 2), spec(), RUNNING);
    expect(host.machine.launches.map(({ machineType }) => machineType)).toEqual(['pc-q35-10.0', 'pc-q35-10.0']);
  });

  it('keeps the generation id of its first start, and gets another one after its removal', async () => {
    await actor.ensureVm(intent(2), spec(), RUNNING);
    const next = await host.start();
    await next.ensureVm(intent(3), spec(), stopped(0));
    await next.ensureVm(intent(4, 2), spec(), RUNNING);
    const [first, again] = host.machine.launches.map(({ firmware }) => firmware);
    expect(first?.generationId).toMatch(/^[0-9a-f-]{36}$/);
    expect(again).toEqual(first);
    // What the driver keeps there goes with the VM.
    await mkdir(first?.folder ?? '', { recursive: true });
    await next.removeVm(intent(5, 2));
    expect(existsSync(first?.folder ?? '')).toBe(false);
    expect(next.record?.vmGenerationId ?? null).toBeNull();
  });

  it('is not started where no QEMU names a machine type', async () => {
    host.machine.facts.qemuMachineType = null;
    await expect(actor.ensureVm(intent(2), spec(), RUNNING)).rejects.toMatchObject({ code: 'host_fault' });
    expect(host.machine.launches).toEqual([]);
  });

  it('whose launch failed can be launched again under the same epoch', async () => {
    host.machine.failNextLaunch(new DomainError('guest_fault', 'QEMU said no'));
    await expect(actor.ensureVm(intent(2), spec(), RUNNING)).rejects.toMatchObject({ code: 'guest_fault' });
    expect(actor.snapshot()).toMatchObject({ power: 'stopped', exit: { reason: 'crash', detail: 'QEMU said no' } });
    expect(await actor.ensureVm(intent(2), spec(), RUNNING)).toMatchObject({ power: 'running' });
  });

  it('that ended by itself is not started again by a repeat', async () => {
    await actor.ensureVm(intent(2), spec(), RUNNING);
    process().powerOff();
    await expect(actor.ensureVm(intent(2), spec(), RUNNING)).rejects.toMatchObject({
      code: 'guest_fault',
      details: { reason: 'guest-shutdown' },
    });
    expect(host.machine.launches).toHaveLength(1);
  });

  it('gives its CPUs back when it ends and when its launch fails', async () => {
    const all = spec({ vcpuCount: 15, hardware: DEDICATED });
    host.machine.failNextLaunch(new DomainError('host_fault', 'no'));
    await expect(actor.ensureVm(intent(2), all, RUNNING)).rejects.toMatchObject({ code: 'host_fault' });
    await actor.ensureVm(intent(2), all, RUNNING);
    expect(process().launch.placement).toMatchObject({
      vcpuCpus: Array.from({ length: 15 }, (_, index) => index + 1),
      otherCpus: [0],
    });
    await actor.ensureVm(intent(3, 2), all, RUNNING);
    expect(process().launch.epoch).toBe(2);
  });

  it('does not run without its disk or on what the host does not offer', async () => {
    const other = spec({ rootVolumeId: newId() });
    await expect(actor.ensureVm(intent(2), other, RUNNING)).rejects.toMatchObject({ code: 'conflict_state' });
    const fast = spec({ accelerator: 'kvm' });
    await expect(actor.ensureVm(intent(3), fast, RUNNING)).rejects.toMatchObject({ code: 'conflict_state' });
    expect(host.machine.launches).toEqual([]);
  });

  it('keeps its root disk while it runs', async () => {
    await actor.ensureVm(intent(2), spec(), RUNNING);
    await expect(actor.removeDisk(intent(3), VOLUME)).rejects.toMatchObject({ code: 'in_use' });
    expect(host.machine.disks.size).toBe(1);
  });

  it('has a disk of one size and image', async () => {
    await actor.ensureDisk(intent(2), DISK);
    await expect(actor.ensureDisk(intent(3), { ...DISK, sizeBytes: 32 * MIB })).rejects.toMatchObject({
      code: 'conflict_state',
    });
    await actor.removeDisk(intent(4), VOLUME);
    expect(host.machine.disks.size).toBe(0);
    await actor.ensureDisk(intent(5), { ...DISK, sizeBytes: 32 * MIB });
  });

  it('takes a balloon within its memory while it runs', async () => {
    await expect(actor.ensureBalloon(intent(2), 32 * MIB)).rejects.toMatchObject({ code: 'conflict_state' });
    await actor.ensureVm(intent(3), spec(), RUNNING);
    expect(await actor.ensureBalloon(intent(4), 32 * MIB)).toBe(32 * MIB);
    await expect(actor.ensureBalloon(intent(5), 128 * MIB)).rejects.toMatchObject({ code: 'invalid_request' });
  });

  it('leaves nothing but a tombstone, which is forgotten after its time', async () => {
    await actor.ensureVm(intent(2), spec(), RUNNING);
    await actor.removeVm(intent(3));
    expect(host.machine.processes.size + host.machine.disks.size).toBe(0);
    expect(host.written).toMatchObject({ spec: null, tombstone: { isSwept: true } });
    await actor.forgetTombstone(Date.now() - 60_000);
    expect(host.written).not.toBeNull();
    await actor.forgetTombstone(Date.now() + 60_000);
    expect(host.written).toBeNull();
  });

  it('has a bounded number of requests that wait', async () => {
    let go: () => void = () => undefined;
    host.machine.beforeLaunch = () =>
      new Promise((resolve) => {
        go = resolve;
      });
    const first = actor.ensureVm(intent(2), spec(), RUNNING);
    const crowd = Array.from({ length: 100 }, () => actor.ensureVm(intent(2), spec(), RUNNING));
    const outcomes = Promise.allSettled([first, ...crowd]);
    await expect.poll(() => host.machine.launches.length).toBe(1);
    go();
    const refused = (await outcomes).filter((outcome) => outcome.status === 'rejected');
    expect(refused.map((outcome) => outcome.reason.code)).toEqual(Array(refused.length).fill('unavailable'));
    expect(refused.length).toBeGreaterThan(30);
    expect(host.machine.launches).toHaveLength(1);
  });

  it('forgets a request whose caller gave up before its turn', async () => {
    const gone = AbortSignal.abort();
    await expect(actor.ensureVm(intent(2), spec(), RUNNING, gone)).rejects.toMatchObject({ code: 'cancelled' });
    expect(host.machine.launches).toEqual([]);
  });
});

describe('whenever the agent is killed', () => {
  const tasks = {
    run: (a: VmActor, i: Intent) => a.ensureVm(i, spec(), RUNNING),
    pinned: (a: VmActor, i: Intent) => a.ensureVm(i, spec({ hardware: DEDICATED }), RUNNING),
    pause: (a: VmActor, i: Intent) => a.ensureVm(i, spec(), PAUSED),
    reset: (a: VmActor, i: Intent) => a.ensureVm(i, spec(), RESET),
    stop: (a: VmActor, i: Intent) => a.ensureVm(i, spec(), stopped()),
    stopGracefully: (a: VmActor, i: Intent) => a.ensureVm(i, spec(), stopped(600_000)),
    ensureDisk: (a: VmActor, i: Intent) => a.ensureDisk(i, DISK),
    removeDisk: (a: VmActor, i: Intent) => a.removeDisk(i, VOLUME),
    remove: (a: VmActor, i: Intent) => a.removeVm(i),
  } as const;
  const names = Object.keys(tasks) as (keyof typeof tasks)[];
  const anyStep = fc.record({
    name: fc.constantFrom(...names),
    kills: fc.array(fc.nat({ max: 12 }), { maxLength: 2 }),
    isLate: fc.boolean(),
    guest: fc.constantFrom('lives', 'lives', 'powers off', 'crashes'),
  });

  /** The outcome as a code: refusals are fine here, a second process is not. */
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => 'done',
      (error: DomainError) => error.code,
    );

  it('one process runs at most, late requests do nothing, and the repeat brings what was asked', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 8 }), async (steps) => {
        const mortal = await MortalHost.create(VM);
        try {
          await (await mortal.start()).ensureDisk(intent(1), DISK);
          let generation = 1;
          for (const step of steps) {
            generation += 1;
            const asked = intent(generation, generation);
            for (const budget of step.kills) {
              await mortal.within(budget, (current) => codeOf(tasks[step.name](current, asked)));
            }
            const code = await codeOf(tasks[step.name](mortal.actor, asked));
            expect(code).not.toBe('bug');
            expectOutcome(mortal, step.name, code, generation);
            if (step.isLate) await expectLateDoesNothing(mortal, generation);
            if (step.guest !== 'lives') {
              for (const running of mortal.machine.processes.values()) {
                if (step.guest === 'crashes') running.crash();
                else running.powerOff();
              }
            }
          }
        } finally {
          await mortal.remove();
        }
      }),
      { numRuns: 150 },
    );
  });

  function expectOutcome(mortal: MortalHost, name: keyof typeof tasks, code: string, epoch: number): void {
    const running = [...mortal.machine.processes.values()];
    expect(running.length).toBeLessThanOrEqual(1);
    // FakeDriver refuses to launch beside a running process; the actor must never have tried.
    if (['run', 'pinned', 'pause', 'reset'].includes(name)) {
      if (code === 'done') {
        expect(running[0]?.launch.epoch).toBe(epoch);
        expect(running[0]?.power).toBe(name === 'pause' ? 'paused' : 'running');
      } else {
        // Only a disk that was removed before is a reason; a process in the way would be none.
        expect(code).toBe('conflict_state');
        expect(mortal.machine.disks.size).toBe(0);
      }
    }
    if (name === 'stop' || name === 'stopGracefully' || name === 'remove') {
      expect(code).toBe('done');
      expect(running).toEqual([]);
    }
    if (name === 'remove') expect(mortal.machine.disks.size).toBe(0);
  }

  async function expectLateDoesNothing(mortal: MortalHost, generation: number): Promise<void> {
    const before = [...mortal.machine.processes.values()];
    const launchCount = mortal.machine.launches.length;
    for (const name of names) {
      expect(await codeOf(tasks[name](mortal.actor, intent(generation - 1, 99, 99)))).toBe('stale_generation');
    }
    expect([...mortal.machine.processes.values()]).toEqual(before);
    expect(mortal.machine.launches).toHaveLength(launchCount);
  }
});
