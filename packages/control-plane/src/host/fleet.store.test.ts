import { type HostId, newId } from '@kvorum/schema';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { aHost, aVm, ingredients } from '../../test/world/fleet-builder.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import { withTransaction } from '../database/database.js';
import { FEED_START, readFleetChanges, TraitSets } from './fleet.store.js';

let test: TestControlPlane;
let hostIds: string[];
beforeAll(async () => {
  test = await openTestControlPlane({ server: 'own' });
  hostIds = [await aHost(test), await aHost(test), await aHost(test)];
});
afterAll(() => test.close());

const traitSets = new TraitSets();
const read = (since: bigint, claimed: string[] = []) => readFleetChanges(test.cp.database, traitSets, claimed, since);
const cordon = (hostId: string | undefined, reason = 'test') =>
  test.sql(`UPDATE hosts SET state = 'cordoned', cordon_reason = $2 WHERE id = $1`, [hostId, reason]);
const idsOf = ({ hosts }: Awaited<ReturnType<typeof read>>): string[] => hosts.map(({ hostId }) => hostId).sort();

let position: bigint;
beforeEach(async () => {
  position = (await read(FEED_START)).horizonXactId;
});

describe('the feed of the fleet', () => {
  it('begins with all hosts, and then tells what has changed alone', async () => {
    expect(idsOf(await read(FEED_START))).toEqual([...hostIds].sort());
    expect(idsOf(await read(position))).toEqual([]);
    await cordon(hostIds[1], 'once more');
    const changes = await read(position);
    expect(changes.hosts).toMatchObject([{ hostId: hostIds[1], state: 'cordoned' }]);
    expect(idsOf(await read(changes.horizonXactId))).toEqual([]);
  });

  it('says nothing of a report that tells nothing new', async () => {
    await test.sql('UPDATE hosts SET last_report_at = now(), report_generation = report_generation + 1');
    expect(idsOf(await read(position))).toEqual([]);
    await test.sql('UPDATE hosts SET capacity_vcpu_count = capacity_vcpu_count + 1, last_report_at = now()');
    expect(idsOf(await read(position))).toEqual([...hostIds].sort());
  });

  it('misses nothing of a transaction that commits after a later one was read', async () => {
    const [slow, fast] = hostIds;
    let commit = (): void => undefined;
    const mayCommit = new Promise<void>((resolve) => {
      commit = resolve;
    });
    let wrote = (): void => undefined;
    const hasWritten = new Promise<void>((resolve) => {
      wrote = resolve;
    });
    const slowly = withTransaction(test.cp.database, async (tx) => {
      await tx.$executeRaw`UPDATE hosts SET cordon_reason = 'slow' WHERE id = ${slow}::uuid`;
      wrote();
      await mayCommit;
    });
    await hasWritten;
    await cordon(fast, 'fast');
    const early = await read(position);
    expect(idsOf(early)).toEqual([fast]);
    commit();
    await slowly;
    expect(idsOf(await read(early.horizonXactId))).toContain(slow);
  });

  it('knows after many writers what a read of everything knows', async () => {
    const known = new Map((await read(FEED_START)).hosts.map((row) => [row.hostId, row]));
    const writing = Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        withTransaction(test.cp.database, async (tx) => {
          await tx.$executeRaw`
            UPDATE hosts SET capacity_vcpu_count = capacity_vcpu_count + ${n}::int WHERE id = ${hostIds[n % 3]}::uuid`;
          await tx.$executeRaw`SELECT pg_sleep(${Math.random() / 50})`;
        }),
      ),
    );
    let isWritten = false;
    void writing.then(() => {
      isWritten = true;
    });
    for (let since = position, wasWritten = false; !wasWritten; ) {
      wasWritten = isWritten;
      const changes = await read(since);
      for (const row of changes.hosts) known.set(row.hostId, row);
      since = changes.horizonXactId;
    }
    await writing;
    const everything = (await read(FEED_START)).hosts;
    expect([...known.values()].sort((a, b) => (a.hostId < b.hostId ? -1 : 1))).toEqual(
      [...everything].sort((a, b) => (a.hostId < b.hostId ? -1 : 1)),
    );
  });

  it('counts a claim in the very read that brings its host, and not before', async () => {
    const hostId = (await aHost(test)) as HostId;
    const since = (await read(FEED_START)).horizonXactId;
    const { vmId } = await aVm(test, await ingredients(test), 'running', { hostId });
    const changes = await read(since, [vmId, newId()]);
    expect(changes.countedClaimIds).toEqual(new Set([vmId]));
    expect(changes.hosts).toMatchObject([{ hostId, reserved: { vcpuCount: 1 } }]);
  });

  it('knows zone and rack of a host by its labels', async () => {
    await test.sql(`UPDATE hosts SET labels = '{"zone": "a", "rack": "a-07", "owner": "ops"}' WHERE id = $1`, [
      hostIds[0],
    ]);
    const [row] = (await read(position)).hosts;
    expect(row?.domains).toEqual({ zone: 'a', rack: 'a-07' });
  });

  it('tells the traits of a host, also when another host brought the same list before', async () => {
    const [first, second] = hostIds;
    const give = (hostId: string | undefined, traits: readonly string[]) =>
      test.sql('UPDATE hosts SET traits = $2, traits_sha256 = $3 WHERE id = $1', [hostId, traits, traits.join()]);
    await give(first, ['cpu-model:a', 'nested']);
    const [before] = (await read(position)).hosts;
    await give(second, ['cpu-model:a', 'nested']);
    const rows = (await read(position)).hosts;
    expect(rows.map(({ hostId, traits }) => [hostId, [...(traits ?? [])]]).sort()).toEqual(
      [first, second].map((hostId) => [hostId, ['cpu-model:a', 'nested']]).sort(),
    );
    expect(new Set([before, ...rows].map((row) => row?.traits)).size).toBe(1);
  });
});
