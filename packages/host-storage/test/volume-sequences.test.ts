import { randomUUID } from 'node:crypto';
import { MIB } from '@kvorum/schema';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { openDirectoryPool, type StoragePool } from '../src/index.js';
import { openScratch } from './file-systems.js';
import { readMibs, writeMib } from './volume-bytes.js';

const scratch = openScratch();
afterAll(() => scratch.remove());
const ownerId = randomUUID();
const RUNS = 8;

/** What a volume must show: the byte of each MiB, now and in each snapshot. */
interface Expected {
  bytes: number[];
  snapshots: Map<string, number[]>;
  isTrashed: boolean;
}

const Verb = fc.oneof(
  { weight: 4, arbitrary: fc.record({ verb: fc.constant('write' as const), byte: fc.integer({ min: 1, max: 255 }) }) },
  { weight: 3, arbitrary: fc.record({ verb: fc.constant('snapshot' as const) }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant('remove snapshot' as const) }) },
  ...(['revert', 'grow', 'linked clone', 'full clone', 'remove', 'restore', 'purge'] as const).map((verb) => ({
    weight: 1,
    arbitrary: fc.record({ verb: fc.constant(verb) }),
  })),
);
/** `at` chooses among what there is then: a volume, a snapshot, a MiB. */
const Step = fc.record({ does: Verb, at: fc.nat(1000), repeats: fc.boolean() });
type StepOf = typeof Step extends fc.Arbitrary<infer T> ? T : never;

async function take(pool: StoragePool, model: Map<string, Expected>, { does, at, repeats }: StepOf): Promise<void> {
  const pick = <T>(things: Iterable<T>): T | undefined => {
    const all = [...things];
    return all[at % Math.max(all.length, 1)];
  };
  const times = async (run: () => Promise<unknown>): Promise<void> => {
    await run();
    if (repeats) await run();
  };
  const isTrashed = does.verb === 'restore' || does.verb === 'purge';
  const [volumeId, volume] = pick([...model].filter(([, one]) => one.isTrashed === isTrashed)) ?? [];
  if (volumeId === undefined || volume === undefined) return;
  const [snapshotId, bytes] = pick(volume.snapshots) ?? [];
  const newId = randomUUID();
  if (does.verb === 'write') {
    const mib = at % volume.bytes.length;
    writeMib((await pool.claimVolume(volumeId, 1)).source, mib, does.byte);
    volume.bytes[mib] = does.byte;
  } else if (does.verb === 'grow') {
    await times(() => pool.growVolume({ volumeId, sizeBytes: (volume.bytes.length + 1) * MIB }));
    volume.bytes.push(0);
  } else if (does.verb === 'snapshot') {
    await times(() => pool.snapshotVolumes({ volumes: [{ volumeId, snapshotId: newId }] }));
    volume.snapshots.set(newId, [...volume.bytes]);
  } else if (does.verb === 'remove') {
    await times(() => pool.removeVolume(volumeId));
    volume.isTrashed = true;
  } else if (does.verb === 'restore') {
    await times(() => pool.restoreVolume(volumeId));
    volume.isTrashed = false;
  } else if (does.verb === 'purge') {
    await times(() => pool.purgeVolume(volumeId));
    model.delete(volumeId);
  } else if (snapshotId === undefined || bytes === undefined) return;
  else if (does.verb === 'remove snapshot') {
    await times(() => pool.removeSnapshot(volumeId, snapshotId));
    volume.snapshots.delete(snapshotId);
  } else if (does.verb === 'revert') {
    await times(() => pool.revertVolume({ volumeId, snapshotId, revertId: newId }));
    volume.bytes = [...bytes];
  } else {
    const isLinked = does.verb === 'linked clone';
    await times(() => pool.cloneVolume({ volumeId: newId, ownerId, source: { volumeId, snapshotId }, isLinked }));
    model.set(newId, { bytes: [...bytes], snapshots: new Map(), isTrashed: false });
  }
}

async function expectModel(pool: StoragePool, model: Map<string, Expected>): Promise<void> {
  for (const [volumeId, { bytes, snapshots, isTrashed }] of model) {
    const facts = await pool.observeVolume(volumeId);
    expect(facts).toMatchObject({ sizeBytes: bytes.length * MIB, state: isTrashed ? 'trashed' : 'ready' });
    expect(facts.snapshots.map(({ id }) => id).sort()).toEqual([...snapshots.keys()].sort());
    if (isTrashed) await pool.restoreVolume(volumeId);
    expect(readMibs((await pool.claimVolume(volumeId, 1)).source)).toEqual(bytes);
    for (const [snapshotId, seen] of snapshots) {
      await pool.revertVolume({ volumeId, snapshotId, revertId: randomUUID() });
      expect(readMibs((await pool.claimVolume(volumeId, 1)).source)).toEqual(seen);
    }
  }
}

describe('volumes after any sequence of verbs, each repeated or not', () => {
  it('show what was written to them, in each of their snapshots too, and leave nothing behind', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(Step, { minLength: 6, maxLength: 16 }), async (steps) => {
        const options = { poolId: randomUUID(), hostId: randomUUID(), path: scratch.newFolder(), highWaterRatio: 1 };
        const pool = await openDirectoryPool({ ...options, driver: 'dir', mayInitialise: true });
        const volumeId = randomUUID();
        await pool.ensureVolume({ volumeId, ownerId, sizeBytes: 2 * MIB });
        const model = new Map([[volumeId, { bytes: [0, 0], snapshots: new Map(), isTrashed: false } as Expected]]);
        for (const step of steps) await take(pool, model, step);
        expect(await pool.sweep({ trashKeepMs: 1e12, orphanAgeMs: 0 })).toMatchObject({ quarantined: [], faults: [] });
        await expectModel(pool, model);
        for (const id of model.keys()) await pool.removeVolume(id);
        // A chain of clones goes from its end, one with each sweep at the least.
        for (let time = 0; time <= steps.length; time += 1) await pool.sweep({ trashKeepMs: 0, orphanAgeMs: 0 });
        expect(await pool.observe()).toMatchObject({ volumeCount: 0, allocatedBytes: 0, provisionedBytes: 0 });
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
  });
});
