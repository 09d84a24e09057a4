import { GIB, MIB } from '@kvorum/schema';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HOLD_OFF_MS, marginBytesOf, ROUND_INTERVAL_MS, stepBytesOf } from './balloon-policy.js';
import type { HostPressure } from './host-pressure.js';
import { type BalloonedVm, planBalloons } from './plan-balloons.js';

const HIGH: HostPressure = { totalBytes: 64 * GIB, availableBytes: 2 * GIB, stallPercent: { some: 40, full: 20 } };
const MEDIUM: HostPressure = { totalBytes: 64 * GIB, availableBytes: 7 * GIB, stallPercent: { some: 0, full: 0 } };
const NONE: HostPressure = { totalBytes: 64 * GIB, availableBytes: 40 * GIB, stallPercent: { some: 0, full: 0 } };

const MEMORY = 4 * GIB;
type Answer = NonNullable<BalloonedVm['answer']>;
const answer = (actualBytes: number, usedBytes: number, changes: Partial<Answer> = {}): Answer => ({
  actualBytes,
  stats: {
    updatedAtMs: 0,
    totalBytes: MEMORY,
    freeBytes: 0,
    availableBytes: Math.max(0, actualBytes - usedBytes),
    diskCacheBytes: 0,
  },
  statsAgeMs: 1_000,
  isMigrating: false,
  ...changes,
});
const aVm = (changes: Partial<BalloonedVm> = {}): BalloonedVm => ({
  vmId: 'a',
  memoryBytes: MEMORY,
  policy: { minimumBytes: 2 * GIB, shares: 1000 },
  answer: answer(MEMORY, GIB),
  isPaused: false,
  lastMove: null,
  ...changes,
});
const noFigures = { availableBytes: null, freeBytes: null, diskCacheBytes: 5 };
const statsWith = (changes: object): Answer => {
  const whole = answer(MEMORY, GIB);
  return { ...whole, stats: whole.stats && { ...whole.stats, ...changes } };
};

describe('one VM', () => {
  const move = (direction: 'take' | 'give', agoMs: number) => ({ lastMove: { direction, agoMs } });
  it.each<[string, BalloonedVm, HostPressure | null, string, number | null]>([
    ['gives a step under pressure', aVm(), HIGH, 'pressure', MEMORY - 512 * MIB],
    ['keeps all it has between the marks', aVm(), MEDIUM, 'between-marks', null],
    ['keeps all it has when pressure is not known', aVm(), null, 'between-marks', null],
    ['has all without pressure', aVm(), NONE, 'at-full', null],
    ['gets a step back without pressure', aVm({ answer: answer(3 * GIB, GIB) }), NONE, 'no-pressure', 3.5 * GIB],
    [
      'gives no more than the rest above its minimum',
      aVm({ answer: answer(2.25 * GIB, 0) }),
      HIGH,
      'pressure',
      2 * GIB,
    ],
    ['is not taken below its minimum', aVm({ answer: answer(2 * GIB, 0) }), HIGH, 'at-floor', null],
    [
      'is not taken below its working set',
      aVm({ answer: answer(3 * GIB, 3 * GIB - 256 * MIB) }),
      HIGH,
      'at-floor',
      null,
    ],
    [
      'gives down to its working set and margin',
      aVm({ answer: answer(MEMORY, 3.5 * GIB) }),
      HIGH,
      'pressure',
      3.75 * GIB,
    ],
    [
      'gets memory when it is short, also between the marks',
      aVm({ answer: answer(3 * GIB, 3 * GIB) }),
      MEDIUM,
      'guest-short',
      3.25 * GIB,
    ],
    [
      'gets what it needs when it is short under pressure',
      aVm({ answer: answer(3 * GIB, 3 * GIB) }),
      HIGH,
      'guest-short',
      3.25 * GIB,
    ],
    ['gets its minimum at once', aVm({ answer: answer(GIB, 0) }), HIGH, 'below-minimum', 2 * GIB],
    ['is left alone when its policy is off', aVm({ policy: null }), HIGH, 'disabled', null],
    ['is left alone while paused', aVm({ isPaused: true }), HIGH, 'paused', null],
    [
      'is left alone while it migrates',
      aVm({ answer: answer(MEMORY, GIB, { isMigrating: true }) }),
      HIGH,
      'migrating',
      null,
    ],
    [
      'is left alone when short while it migrates',
      aVm({ answer: answer(GIB, GIB, { isMigrating: true }) }),
      NONE,
      'migrating',
      null,
    ],
    [
      'is left alone without a balloon driver',
      aVm({ answer: answer(MEMORY, GIB, { stats: null }) }),
      HIGH,
      'no-driver',
      null,
    ],
    ['is left alone when its monitor is silent', aVm({ answer: null }), HIGH, 'not-answering', null],
    [
      'is left alone when its figures are old',
      aVm({ answer: answer(MEMORY, GIB, { statsAgeMs: 10_001 }) }),
      HIGH,
      'not-answering',
      null,
    ],
    [
      'is left alone when it gives no figure to go by',
      aVm({ answer: statsWith(noFigures) }),
      HIGH,
      'not-answering',
      null,
    ],
    [
      'is judged by free memory and caches where it says no more',
      aVm({ answer: statsWith({ availableBytes: null, freeBytes: GIB, diskCacheBytes: GIB }) }),
      HIGH,
      'pressure',
      MEMORY - 512 * MIB,
    ],
    ['waits for figures that are newer than its last move', aVm(move('take', 500)), HIGH, 'settling', null],
    [
      'goes on in the same direction as soon as they are',
      aVm(move('take', 1_500)),
      HIGH,
      'pressure',
      MEMORY - 512 * MIB,
    ],
    ['rests before it moves the other way', aVm(move('give', HOLD_OFF_MS - 1)), HIGH, 'hold-off', null],
    ['moves the other way after that', aVm(move('give', HOLD_OFF_MS)), HIGH, 'pressure', MEMORY - 512 * MIB],
    [
      'does not rest when it is short',
      aVm({ ...move('take', 1_500), answer: answer(3 * GIB, 3 * GIB) }),
      HIGH,
      'guest-short',
      3.25 * GIB,
    ],
  ])('%s', (_what, vm, pressure, reason, targetBytes) => {
    expect(planBalloons([vm], pressure)).toMatchObject([{ reason, targetBytes }]);
  });

  it('has its working set told, whichever way it counts the balloon', () => {
    const [decision] = planBalloons([aVm({ answer: answer(3 * GIB, GIB) })], MEDIUM);
    expect(decision?.workingSetBytes).toBe(GIB);
  });
});

describe('several VMs', () => {
  const shares = (vmId: string, count: number, changes: Partial<BalloonedVm> = {}): BalloonedVm =>
    aVm({ vmId, policy: { minimumBytes: GIB, shares: count }, ...changes });
  // To the mark 1 GiB is missing, which is two steps.
  const short: HostPressure = {
    totalBytes: 64 * GIB,
    availableBytes: 64 * GIB * 0.115 - GIB,
    stallPercent: { some: 50, full: 0 },
  };
  const targets = (vms: BalloonedVm[], pressure: HostPressure) =>
    Object.fromEntries(planBalloons(vms, pressure).map(({ vmId, targetBytes }) => [vmId, targetBytes]));

  it('with the fewest shares gives first', () => {
    const step = MEMORY - 512 * MIB;
    expect(targets([shares('c', 3), shares('a', 1), shares('b', 2)], short)).toEqual({ a: step, b: step, c: null });
  });

  it('with the same shares give alike', () => {
    const vms = ['a', 'b', 'c', 'd'].map((vmId) => shares(vmId, 1));
    expect(targets(vms, short)).toEqual(Object.fromEntries(vms.map(({ vmId }) => [vmId, MEMORY - 256 * MIB])));
  });

  it('with the most shares get back first', () => {
    const ample = { ...NONE, totalBytes: 64 * GIB, availableBytes: 64 * GIB * 0.15 + 0.5 * GIB };
    const vms = ['a', 'b', 'c'].map((vmId, index) => shares(vmId, index, { answer: answer(2 * GIB, 0) }));
    // A quantum of the host is 1 GiB: two steps.
    expect(targets(vms, ample)).toEqual({ a: null, b: 2.5 * GIB, c: 2.5 * GIB });
  });
});

const sizes = fc.record({
  memoryMib: fc.integer({ min: 32, max: 64 * 1024 }),
  minimumPart: fc.double({ min: 0, max: 1, noNaN: true }),
  usedPart: fc.double({ min: 0, max: 1, noNaN: true }),
  actualPart: fc.double({ min: 0, max: 1, noNaN: true }),
  shares: fc.integer({ min: 1, max: 5 }),
});
const pressures = fc.record({
  totalBytes: fc.constant(64 * GIB),
  availableBytes: fc.integer({ min: 0, max: 64 * 1024 }).map((mib) => mib * MIB),
  stallPercent: fc.option(
    fc.record({ some: fc.integer({ min: 0, max: 100 }), full: fc.integer({ min: 0, max: 100 }) }),
  ),
});

/** A guest whose programs use a constant part of its memory, and that follows its balloon at once. */
class Guest {
  readonly memoryBytes: number;
  readonly minimumBytes: number;
  readonly usedBytes: number;
  readonly turns: ('take' | 'give')[] = [];
  actualBytes: number;
  movedAtMs = 0;
  constructor(
    readonly vmId: string,
    readonly shares: number,
    {
      memoryMib,
      minimumPart,
      usedPart,
      actualPart,
    }: { memoryMib: number; minimumPart: number; usedPart: number; actualPart: number },
  ) {
    this.memoryBytes = memoryMib * MIB;
    this.minimumBytes = Math.max(1, Math.floor(memoryMib * minimumPart)) * MIB;
    this.usedBytes = Math.floor(this.memoryBytes * usedPart);
    const least = Math.max(this.minimumBytes, this.usedBytes);
    this.actualBytes = Math.floor(least + (this.memoryBytes - least) * actualPart);
  }
  get floorBytes(): number {
    const needed = Math.ceil((this.usedBytes + marginBytesOf(this.memoryBytes)) / MIB) * MIB;
    return Math.min(this.memoryBytes, Math.max(this.minimumBytes, needed));
  }
  seenAt(nowMs: number): BalloonedVm {
    const direction = this.turns.at(-1);
    return {
      vmId: this.vmId,
      memoryBytes: this.memoryBytes,
      policy: { minimumBytes: this.minimumBytes, shares: this.shares },
      answer: answer(this.actualBytes, this.usedBytes, { statsAgeMs: 0 }),
      isPaused: false,
      lastMove: direction === undefined ? null : { direction, agoMs: nowMs - this.movedAtMs },
    };
  }
  move(targetBytes: number, nowMs: number): void {
    const direction = targetBytes < this.actualBytes ? 'take' : 'give';
    if (this.turns.at(-1) !== direction) this.turns.push(direction);
    this.actualBytes = targetBytes;
    this.movedAtMs = nowMs;
  }
}

const guestsOf = (
  drawn: readonly { shares: number; memoryMib: number; minimumPart: number; usedPart: number; actualPart: number }[],
) => drawn.map((size, index) => new Guest(`vm-${index}`, size.shares, size));

/** Rounds until nothing moves any more; null: it did not come to rest. */
function settle(guests: readonly Guest[], pressureAt: () => HostPressure, roundCountMax: number): number | null {
  const quietRounds = HOLD_OFF_MS / ROUND_INTERVAL_MS + 1;
  let quiet = 0;
  for (let round = 0; round < roundCountMax; round += 1) {
    const nowMs = round * ROUND_INTERVAL_MS;
    const decisions = planBalloons(
      guests.map((guest) => guest.seenAt(nowMs)),
      pressureAt(),
    );
    quiet += 1;
    for (const [index, { targetBytes }] of decisions.entries()) {
      if (targetBytes === null) continue;
      guests[index]?.move(targetBytes, nowMs);
      quiet = 0;
    }
    if (quiet > quietRounds) return round;
  }
  return null;
}
// 8 steps take a VM from one end to the other; the quantum bounds what all of them together do in a round.
const ROUND_COUNT_MAX = 2_000;

describe('for any guests and any pressure', () => {
  it('every target lies between the larger of minimum and working set, and the memory of the VM', () => {
    fc.assert(
      fc.property(fc.array(sizes, { maxLength: 12 }), pressures, (drawn, pressure) => {
        const guests = guestsOf(drawn);
        const decisions = planBalloons(
          guests.map((guest) => guest.seenAt(0)),
          pressure,
        );
        for (const [index, { targetBytes }] of decisions.entries()) {
          const guest = guests[index];
          if (targetBytes === null || guest === undefined) continue;
          expect(targetBytes).toBeGreaterThanOrEqual(Math.max(guest.minimumBytes, guest.usedBytes));
          expect(targetBytes).toBeGreaterThanOrEqual(guest.floorBytes);
          expect(targetBytes).toBeLessThanOrEqual(guest.memoryBytes);
        }
      }),
    );
  });

  it('no balloon moves by more than a step, but up to what the guest needs', () => {
    fc.assert(
      fc.property(fc.array(sizes, { maxLength: 12 }), pressures, (drawn, pressure) => {
        const guests = guestsOf(drawn);
        for (const [index, { targetBytes }] of planBalloons(
          guests.map((guest) => guest.seenAt(0)),
          pressure,
        ).entries()) {
          const guest = guests[index];
          if (targetBytes === null || guest === undefined) continue;
          const step = stepBytesOf(guest.memoryBytes);
          expect(guest.actualBytes - targetBytes).toBeLessThanOrEqual(step);
          expect(targetBytes - guest.actualBytes).toBeLessThanOrEqual(
            Math.max(step, guest.floorBytes - guest.actualBytes),
          );
        }
      }),
    );
  });

  it('under constant pressure all come to rest, and none has turned more than once', () => {
    fc.assert(
      fc.property(fc.array(sizes, { maxLength: 8 }), pressures, (drawn, pressure) => {
        const guests = guestsOf(drawn);
        expect(settle(guests, () => pressure, ROUND_COUNT_MAX)).not.toBeNull();
        for (const { turns } of guests) expect(turns.length).toBeLessThanOrEqual(2);
      }),
      { numRuns: 60 },
    );
  });

  it('where what guests give is what the host has, all come to rest as well', () => {
    const hosts = fc.record({ availableMib: fc.integer({ min: 0, max: 64 * 1024 }) });
    fc.assert(
      fc.property(fc.array(sizes, { minLength: 1, maxLength: 8 }), hosts, (drawn, { availableMib }) => {
        const guests = guestsOf(drawn);
        const held = () => guests.reduce((sum, { actualBytes }) => sum + actualBytes, 0);
        const before = held();
        const totalBytes = 64 * GIB;
        const pressureAt = () => {
          const bytes = availableMib * MIB + before - held();
          return { totalBytes, availableBytes: Math.max(0, Math.min(totalBytes, bytes)), stallPercent: null };
        };
        expect(settle(guests, pressureAt, ROUND_COUNT_MAX)).not.toBeNull();
        for (const { turns } of guests) expect(turns.length).toBeLessThanOrEqual(2);
      }),
      { numRuns: 60 },
    );
  });

  it('without pressure every guest has all of its memory in the end', () => {
    fc.assert(
      fc.property(fc.array(sizes, { maxLength: 8 }), (drawn) => {
        const guests = guestsOf(drawn);
        expect(settle(guests, () => NONE, ROUND_COUNT_MAX)).not.toBeNull();
        for (const { actualBytes, memoryBytes } of guests) expect(actualBytes).toBe(memoryBytes);
      }),
      { numRuns: 60 },
    );
  });
});
