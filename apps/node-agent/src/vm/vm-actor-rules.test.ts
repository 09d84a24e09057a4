import { PLAIN_HARDWARE } from '@kvorum/schema';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_CLAIM } from '../cpu/plan-pinning.js';
import { type Action, admit, type Demand, type Intent, type LiveRun, nextAction } from './vm-actor-rules.js';
import { machineOf, type VmRecord } from './vm-record.js';

const VM = '01890000-0000-7000-8000-000000000001' as VmRecord['vmId'];
const OPERATION = '01890000-0000-7000-8000-0000000000ff' as VmRecord['operationId'];
const DISK = '01890000-0000-7000-8000-0000000000d1' as VmRecord['removedVolumeIds'][number];
const SPEC = {
  name: 'web',
  vcpuCount: 1,
  memoryBytes: 64 * 1024 * 1024,
  accelerator: 'tcg' as const,
  balloon: null,
  hardware: PLAIN_HARDWARE,
  cloudInit: null,
  rootVolumeId: DISK,
  templateId: null,
  pooledVolumes: [],
};

const intent = (generation: number, fencingToken = 1, epoch = 1): Intent => ({
  vmId: VM,
  generation,
  fencingToken,
  epoch,
  operationId: OPERATION,
});
const run = { kind: 'ensure-vm', spec: SPEC, wanted: { power: 'running', reset: false } } satisfies Demand;
const reset: Demand = { kind: 'ensure-vm', spec: SPEC, wanted: { power: 'running', reset: true } };
const pause = { kind: 'ensure-vm', spec: SPEC, wanted: { power: 'paused' } } satisfies Demand;
const stop = (graceMs = 0): Demand => ({ kind: 'ensure-vm', spec: SPEC, wanted: { power: 'stopped', graceMs } });
const LARGER = { ...SPEC, vcpuCount: 2 };
const larger: Demand = { ...run, spec: LARGER };
const largerPaused: Demand = { ...pause, spec: LARGER };
const largerStopped: Demand = { kind: 'ensure-vm', spec: LARGER, wanted: { power: 'stopped', graceMs: 0 } };
const remove: Demand = { kind: 'remove-vm' };
const ensureDisk: Demand = { kind: 'ensure-disk', volumeId: DISK };
const removeDisk: Demand = { kind: 'remove-disk', volumeId: DISK };
const balloon: Demand = { kind: 'ensure-balloon' };
const OFFER = { targetHostId: '01890000-0000-7000-8000-0000000000aa', fingerprints: ['f'.repeat(64)], untilMs: 9_000 };
const offer: Demand = { kind: 'offer-vm', offer: OFFER };
const withdraw: Demand = { kind: 'withdraw-offer' };
const receive: Demand = { kind: 'receive-vm' };
const ofAnother = (given: Intent): Intent => ({ ...given, operationId: VM as unknown as Intent['operationId'] });

/** The record after these intents, each of which must be admitted. */
function after(...steps: [Intent, Demand][]): VmRecord | null {
  return steps.reduce<VmRecord | null>((record, [step, demand]) => {
    const admission = admit(record, step, demand, 1_000);
    if (admission.kind === 'refused') throw new Error(`unexpected refusal: ${admission.message}`);
    return admission.record;
  }, null);
}
const swept = (record: VmRecord | null): VmRecord | null =>
  record && { ...record, tombstone: record.tombstone && { ...record.tombstone, isSwept: true } };

describe('an intent is taken or refused', () => {
  const base = after([intent(5, 2, 3), run]);
  const stopped = after([intent(5, 2, 3), stop()]);
  const removed = after([intent(5, 2, 3), run], [intent(6, 1, 3), remove]);
  const diskless = after([intent(5, 2, 3), removeDisk]);
  const offered = after([intent(5, 2, 3), stop()], [intent(6, 1, 3), offer]);
  const receiving = after([intent(6, 1, 3), receive]);
  it.each<[string, VmRecord | null, Intent, Demand, string]>([
    ['the first of an unknown VM', null, intent(1), run, 'admitted'],
    ['a balloon of an unknown VM', null, intent(1), balloon, 'not_found'],
    ['a higher generation with a lower token', base, intent(6, 1, 3), run, 'admitted'],
    ['the same intent again', base, intent(5, 2, 3), run, 'admitted'],
    ['a lower generation with a higher token', base, intent(4, 9, 9), run, 'stale_generation'],
    ['a lower token of the same generation', base, intent(5, 1, 3), run, 'stale_generation'],
    ['a lower epoch of a newer intent to run', base, intent(6, 1, 2), run, 'stale_generation'],
    ['a lower epoch of a newer intent to pause', base, intent(6, 1, 2), pause, 'stale_generation'],
    ['a lower epoch of a newer intent to stop', base, intent(6, 1, 2), stop(), 'admitted'],
    ['a lower epoch for the balloon', base, intent(6, 1, 2), balloon, 'stale_generation'],
    ['a late stop of the operation that has started the VM since', base, intent(5, 2, 3), stop(), 'stale_generation'],
    ['the undo of a start by its own operation', base, intent(5, 3, 3), stop(), 'admitted'],
    ['a start of the operation that has stopped the VM before', stopped, intent(5, 2, 4), run, 'admitted'],
    ['a late start after the removal', removed, intent(5, 2, 3), run, 'stale_generation'],
    ['a start of the removing intent', swept(removed), intent(6, 1, 3), run, 'stale_generation'],
    ['a late disk after the removal', removed, intent(5, 2, 3), ensureDisk, 'stale_generation'],
    ['the removal again', removed, intent(6, 1, 3), remove, 'admitted'],
    ['the removal of a disk after the removal', removed, intent(6, 1, 3), removeDisk, 'admitted'],
    ['the balloon of a removed VM', removed, intent(6, 1, 3), balloon, 'not_found'],
    ['a newer start while the removal is not finished', removed, intent(7, 1, 4), run, 'conflict_state'],
    ['a newer start after the removal', swept(removed), intent(7, 1, 4), run, 'admitted'],
    ['a disk that the same intent has removed', diskless, intent(5, 2, 3), ensureDisk, 'stale_generation'],
    ['a disk that an older intent has removed', diskless, intent(6, 1, 3), ensureDisk, 'admitted'],
    ['an offer of an unknown VM', null, intent(6), offer, 'not_found'],
    ['an offer of a VM that is being received', receiving, intent(7), offer, 'not_found'],
    ['an offer again', offered, intent(6, 1, 3), offer, 'admitted'],
    ['a start of the intent that has offered the VM', offered, intent(6, 1, 4), run, 'conflict_state'],
    ['a start of an intent before the offer', offered, intent(5, 9, 9), run, 'stale_generation'],
    [
      'a start after the offer was withdrawn',
      after([intent(6), run], [intent(6), withdraw]),
      intent(6),
      run,
      'admitted',
    ],
    [
      'a late offer after the withdrawal',
      after([intent(5), stop()], [intent(6, 2), withdraw]),
      intent(6, 1),
      offer,
      'stale_generation',
    ],
    [
      'a late start after the VM was given up',
      swept(after([intent(5, 2, 3), stop()], [intent(6, 1, 3), offer], [intent(6, 1, 3), remove])),
      intent(6, 1, 4),
      run,
      'stale_generation',
    ],
    ['a withdrawal after the VM was given up', swept(removed), intent(6, 2, 3), withdraw, 'not_found'],
    ['a VM from elsewhere, of an unknown id', null, intent(6), receive, 'admitted'],
    ['it again, by the same operation', after([intent(6), stop()]), intent(6, 2), receive, 'admitted'],
    ['it while another operation has made the VM here', base, ofAnother(intent(6)), receive, 'conflict_state'],
    [
      'it after its removal by the undo',
      swept(after([intent(6, 2), remove])),
      intent(6, 1),
      receive,
      'stale_generation',
    ],
    ['it after a removal, by a newer intent', swept(removed), intent(7), receive, 'admitted'],
  ])('%s', (_name, record, asked, demand, expected) => {
    const admission = admit(record, asked, demand, 2_000);
    expect(admission.kind === 'refused' ? admission.code : 'admitted').toBe(expected);
  });

  it('keeps the time of a graceful stop when it is asked for again, and shortens it when asked to', () => {
    const first = after([intent(5), stop(60_000)]);
    expect(first?.stopBy).toEqual({ generation: 5, atMs: 61_000 });
    expect(admit(first, intent(5, 2), stop(60_000), 30_000)).toMatchObject({ record: { stopBy: { atMs: 61_000 } } });
    expect(admit(first, intent(5, 2), stop(0), 30_000)).toMatchObject({ record: { stopBy: { atMs: 30_000 } } });
    expect(admit(first, intent(6), stop(60_000), 30_000)).toMatchObject({ record: { stopBy: { atMs: 90_000 } } });
  });

  it('forgets a reset that was never pressed when a later intent comes', () => {
    const due = after([intent(5), run], [intent(6), reset]);
    expect(due?.reset).toEqual({ generation: 6, isDone: false });
    expect(after([intent(5), run], [intent(6), reset], [intent(7), run])?.reset).toBeNull();
  });

  it('ends an offer with each newer intent, and with the removal', () => {
    const offered = after([intent(5), stop()], [intent(6), offer]);
    expect(offered?.offer).toEqual(OFFER);
    expect(admit(offered, intent(6, 2), withdraw, 0)).toMatchObject({ record: { offer: null } });
    expect(admit(offered, intent(6), remove, 0)).toMatchObject({ record: { offer: null } });
    expect(admit(offered, intent(7), stop(), 0)).toMatchObject({ record: { offer: null } });
  });

  it('brings a VM back after its removal with its epoch and nothing else', () => {
    const back = admit(swept(after([intent(5, 1, 7), run], [intent(6, 1, 7), remove])), intent(7, 1, 8), ensureDisk, 0);
    expect(back).toMatchObject({ record: { epoch: 8, spec: null, wanted: null, tombstone: null, volumes: {} } });
  });
});

describe('the next action', () => {
  const up = (epoch: number): VmRecord['run'] => ({
    epoch,
    phase: 'up',
    accelerator: 'tcg',
    claim: NO_CLAIM,
    machine: machineOf(SPEC),
    exit: null,
  });
  const unknown = (epoch: number): VmRecord['run'] => ({
    ...(up(epoch) as NonNullable<VmRecord['run']>),
    machine: null,
  });
  const CHANGE: Action = { kind: 'change' };
  const running = (epoch: number): LiveRun => ({ epoch, power: 'running' });
  const paused = (epoch: number): LiveRun => ({ epoch, power: 'paused' });
  it.each<[string, VmRecord | null, Partial<VmRecord>, LiveRun | null, Action | null]>([
    ['launches what never ran', after([intent(1), run]), {}, null, { kind: 'launch', isPaused: false }],
    ['launches paused', after([intent(1), pause]), {}, null, { kind: 'launch', isPaused: true }],
    ['does nothing when it runs', after([intent(1), run]), { run: up(1) }, running(1), null],
    ['changes a machine that is not what it is to be', after([intent(1), larger]), { run: up(1) }, running(1), CHANGE],
    ['changes a machine of which nothing is known', after([intent(1), run]), { run: unknown(1) }, running(1), CHANGE],
    ['resumes a guest before it changes', after([intent(1), larger]), { run: up(1) }, paused(1), { kind: 'resume' }],
    ['changes a guest before it pauses', after([intent(1), largerPaused]), { run: up(1) }, running(1), CHANGE],
    [
      'stops a machine without changing it',
      after([intent(1), largerStopped]),
      { run: up(1) },
      running(1),
      { kind: 'end' },
    ],
    ['never starts an epoch again that was up', after([intent(1), run]), { run: up(1) }, null, null],
    [
      'tries an epoch again that may not have come up',
      after([intent(1), run]),
      { run: { ...(up(1) as NonNullable<VmRecord['run']>), phase: 'launching' } },
      null,
      { kind: 'launch', isPaused: false },
    ],
    ['ends an older run first', after([intent(1, 1, 2), run]), { run: up(1) }, running(1), { kind: 'end' }],
    [
      'starts the newer run then',
      after([intent(1, 1, 2), run]),
      { run: up(1) },
      null,
      { kind: 'launch', isPaused: false },
    ],
    ['pauses', after([intent(1), pause]), { run: up(1) }, running(1), { kind: 'pause' }],
    ['resumes', after([intent(1), run]), { run: up(1) }, paused(1), { kind: 'resume' }],
    ['resets', after([intent(1), reset]), { run: up(1) }, running(1), { kind: 'reset' }],
    [
      'resets once',
      after([intent(1), reset]),
      { run: up(1), reset: { generation: 1, isDone: true } },
      running(1),
      null,
    ],
    ['ends without grace', after([intent(1), stop(0)]), { run: up(1) }, running(1), { kind: 'end' }],
    [
      'gives the guest its time',
      after([intent(1), stop(500)]),
      { run: up(1) },
      running(1),
      { kind: 'stop-gracefully', untilMs: 1_500 },
    ],
    ['has nothing to stop', after([intent(1), stop(500)]), {}, null, null],
    ['sweeps what was removed', after([intent(1), run], [intent(2), remove]), {}, running(1), { kind: 'sweep' }],
    ['has nothing to do after the sweep', swept(after([intent(1), run], [intent(2), remove])), {}, null, null],
    ['does nothing for a VM of which only a disk is known', after([intent(1), ensureDisk]), {}, null, null],
  ])('%s', (_name, record, changes, live, expected) => {
    expect(record && nextAction({ ...record, ...changes }, live, 1_000)).toEqual(expected);
  });
});

/**
 * A whole host in a few lines: requests in any order, with repeats and late ones, and a crash between any two writes or
 * actions. What must hold is checked at every step.
 */
class ModelHost {
  record: VmRecord | null = null;
  live: (LiveRun & { power: 'running' | 'paused' }) | null = null;
  launchedEpochs: number[] = [];
  highestSeen: [number, number] = [0, 0];

  /** Carries out a demand; `budget` writes and actions later the agent is killed. */
  handle(asked: Intent, demand: Demand, budget: number): 'done' | 'refused' | 'killed' {
    let left = budget;
    const admission = admit(this.record, asked, demand, 1_000);
    if (admission.kind === 'refused') return 'refused';
    const order = asked.generation - this.highestSeen[0] || asked.fencingToken - this.highestSeen[1];
    expect(order).toBeGreaterThanOrEqual(0);
    if (left-- === 0) return 'killed';
    this.record = admission.record;
    this.highestSeen = [asked.generation, asked.fencingToken];
    if (demand.kind !== 'ensure-vm' && demand.kind !== 'remove-vm') return 'done';
    for (let count = 0; ; count += 1) {
      expect(count).toBeLessThan(8);
      const action = nextAction(this.record, this.live, 1_000);
      if (action === null) return 'done';
      if (left-- === 0) return 'killed';
      if (!this.perform(action, () => left-- === 0)) return 'killed';
    }
  }

  /** Returns false when the agent was killed half-way. */
  private perform(action: Action, isKilled: () => boolean): boolean {
    const record = this.record as VmRecord;
    const withRun = (phase: 'launching' | 'up' | 'ended'): VmRecord => ({
      ...record,
      reset: phase === 'up' && record.reset ? { ...record.reset, isDone: true } : record.reset,
      run: {
        epoch: record.epoch,
        phase,
        accelerator: 'tcg',
        claim: NO_CLAIM,
        machine: record.spec && machineOf(record.spec),
        exit: null,
      },
    });
    switch (action.kind) {
      case 'launch':
        expect(this.live).toBeNull();
        this.record = withRun('launching');
        if (isKilled()) return false;
        this.live = { epoch: record.epoch, power: action.isPaused ? 'paused' : 'running' };
        this.launchedEpochs.push(record.epoch);
        if (isKilled()) return false;
        this.record = withRun('up');
        return true;
      case 'pause':
      case 'resume':
        this.live = this.live && { ...this.live, power: action.kind === 'pause' ? 'paused' : 'running' };
        return true;
      case 'change':
        this.record = { ...record, run: record.run && { ...record.run, machine: null } };
        if (isKilled()) return false;
        this.record = withRun('up');
        return true;
      case 'reset':
        this.record = { ...record, reset: record.reset && { ...record.reset, isDone: true } };
        return true;
      case 'end':
      case 'stop-gracefully':
      case 'sweep':
        this.live = null;
        if (isKilled()) return false;
        this.record = {
          ...record,
          run: record.run && { ...record.run, phase: 'ended' },
          tombstone: record.tombstone && { ...record.tombstone, isSwept: true },
        };
        return true;
    }
  }

  /** What the start of an agent does with what it finds. */
  recover(): void {
    if (this.record?.run?.phase === 'up' && this.live === null) {
      this.record = { ...this.record, run: { ...this.record.run, phase: 'ended' } };
    }
    if (this.record?.run?.phase === 'launching' && this.live !== null) {
      this.record = { ...this.record, run: { ...this.record.run, phase: 'up' } };
    }
  }
}

/** 2 s on an idle machine. */
const RANDOM_TIMEOUT_MS = 60_000;

describe('whatever is asked and whenever the agent dies', () => {
  const anyDemand = fc.constantFrom<Demand>(
    ...[run, run, reset, pause, larger, largerPaused],
    ...[stop(0), stop(500), remove, ensureDisk, removeDisk],
  );
  const anyRequest = fc.record({
    generation: fc.integer({ min: 1, max: 4 }),
    fencingToken: fc.integer({ min: 1, max: 3 }),
    epoch: fc.integer({ min: 1, max: 4 }),
    demand: anyDemand,
    budget: fc.oneof(
      { weight: 3, arbitrary: fc.constant(99) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 6 }) },
    ),
    guestDies: fc.boolean(),
  });

  it('no older fence acts, an epoch that was up never runs twice, epochs only grow, and what was asked last is so', {
    timeout: RANDOM_TIMEOUT_MS,
  }, () => {
    fc.assert(
      fc.property(fc.array(anyRequest, { minLength: 1, maxLength: 30 }), (requests) => {
        const host = new ModelHost();
        const completedEpochs = new Set<number>();
        const promises = new Promises();
        for (const { generation, fencingToken, epoch, demand, budget, guestDies } of requests) {
          const before = host.launchedEpochs.length;
          const asked = intent(generation, fencingToken, epoch);
          const outcome = host.handle(asked, demand, budget);
          for (const launched of host.launchedEpochs.slice(before)) expect(completedEpochs).not.toContain(launched);
          if (outcome === 'killed') host.recover();
          if (outcome === 'done') expectAsAsked(host, demand, completedEpochs);
          promises.take(asked, demand, outcome);
          promises.expectKept(host);
          if (host.record?.run != null && host.record.run.phase !== 'launching')
            completedEpochs.add(host.record.run.epoch);
          if (guestDies && outcome === 'done') {
            host.live = null;
            host.recover();
          }
        }
        expect(host.launchedEpochs).toEqual([...host.launchedEpochs].sort((a, b) => a - b));
      }),
      { numRuns: 2_000 },
    );
  });

  it('repeating an intent until it is through leads where a run without crashes leads', {
    timeout: RANDOM_TIMEOUT_MS,
  }, () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ demand: anyDemand, kills: fc.array(fc.nat({ max: 5 }), { maxLength: 3 }) })),
        (steps) => {
          const calm = new ModelHost();
          const killed = new ModelHost();
          for (const [index, { demand, kills }] of steps.entries()) {
            const asked = intent(index + 1, 1, index + 1);
            calm.handle(asked, demand, 99);
            for (const budget of kills) if (killed.handle(asked, demand, budget) === 'killed') killed.recover();
            killed.handle(asked, demand, 99);
          }
          expect(killed.live).toEqual(calm.live);
          expect(killed.record).toEqual(calm.record);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

/** What callers were told, kept beside the host: nothing of it may be undone by anything older, a crash included. */
class Promises {
  #removedAt: Intent | null = null;
  #newest: Intent | null = null;
  #wanted: string | null = null;

  take(asked: Intent, demand: Demand, outcome: 'done' | 'refused' | 'killed'): void {
    // Of one that was killed the caller knows nothing: either may be true.
    if (outcome === 'killed') this.#forget();
    if (outcome !== 'done') return;
    this.#newest = asked;
    if (demand.kind === 'ensure-vm') [this.#wanted, this.#removedAt] = [demand.wanted.power, null];
    if (demand.kind === 'remove-vm') [this.#wanted, this.#removedAt] = [null, asked];
    // It brings a removed VM back, without a wish how it should be.
    if (demand.kind === 'ensure-disk' && this.#removedAt !== null) [this.#wanted, this.#removedAt] = [null, null];
  }

  expectKept(host: ModelHost): void {
    if (this.#newest !== null) expect(host.record?.fence).toEqual(fenceOf(this.#newest));
    if (this.#wanted !== null) expect(host.record?.wanted?.power).toBe(this.#wanted);
    if (this.#removedAt !== null) expect([host.live, host.record?.tombstone === null]).toEqual([null, false]);
  }

  #forget(): void {
    [this.#removedAt, this.#newest, this.#wanted] = [null, null, null];
  }
}

const fenceOf = ({ generation, fencingToken }: Intent) => ({ generation, fencingToken });

function expectAsAsked(host: ModelHost, demand: Demand, completedEpochs: ReadonlySet<number>): void {
  if (demand.kind === 'remove-vm') expect(host.live).toBeNull();
  if (demand.kind !== 'ensure-vm') return;
  if (demand.wanted.power === 'stopped') expect(host.live).toBeNull();
  // It runs as asked, under the newest epoch, unless a run of that epoch has ended by itself before: that is final.
  else if (host.live !== null || !completedEpochs.has(host.record?.epoch ?? 0)) {
    expect(host.live).toEqual({ epoch: host.record?.epoch, power: demand.wanted.power });
    expect(host.record?.run?.machine).toEqual(machineOf(demand.spec));
  }
}
