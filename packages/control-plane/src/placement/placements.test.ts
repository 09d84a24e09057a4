import { DomainError, type PlacementId, type VmId } from '@kvorum/schema';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aHost, aProject, type Ingredients, ingredients, vmRequest } from '../../test/world/fleet-builder.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import type { Actor } from '../actor.js';
import { reconcileOldPlacements } from '../reconcilers/old-placements.reconciler.js';
import { createVm } from '../vm/create-vm.js';
import type { EvidenceJson } from './decision-evidence.js';
import { pack } from './packed-decision.js';
import { findPlacement, type PlacementRow } from './placement.store.js';
import { getPlacement, listPlacements } from './placements.js';
import { replayPlacement } from './replay-placement.js';

let test: TestControlPlane;
let from: Ingredients;
beforeEach(async () => {
  test = await openTestControlPlane();
  from = await ingredients(test);
});
afterEach(() => test.close());

const ALL = { limit: 50 };
const create = async (actor: Actor = test.admin, name?: string): Promise<VmId> =>
  (await createVm(test.cp, actor, vmRequest(from, name === undefined ? {} : { name }))).resourceId as VmId;
/** The id of the decision that a refused create names. */
async function refused(actor: Actor = test.admin): Promise<PlacementId> {
  const error = await createVm(test.cp, actor, vmRequest(from, { name: 'refused' })).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(DomainError);
  return error.details.placementId;
}

async function kept(id: PlacementId): Promise<PlacementRow> {
  const row = await findPlacement(test.cp.database, id);
  if (row === null) throw new Error(`placement ${id} is kept`);
  return row;
}

describe('a decision of the scheduler', () => {
  it('is kept with its VM: the host, the verdict on each host, the score and who asked', async () => {
    const [one, two] = [await aHost(test), await aHost(test, { state: 'cordoned' })];
    const vmId = await create(test.admin, 'web');
    const { items } = await listPlacements(test.cp, test.admin, { ...ALL, vmId });
    expect(items).toMatchObject([
      { outcome: 'placed', vmId, vmName: 'web', hostId: one, requestedBy: test.admin.tokenName },
    ]);
    const { decision } = items[0] as (typeof items)[0];
    expect(decision).toMatchObject({ hostCount: 2, candidateCount: 1, chosen: { hostId: one }, isLimited: false });
    expect(decision.verdicts.map(({ hostId, fits }) => [hostId, fits])).toEqual([
      [one, true],
      [two, false],
    ]);
  });

  it('is kept when it is a refusal, although the create was rolled back, and named by the error', async () => {
    await aHost(test, { vmCount: 0 });
    const placement = await getPlacement(test.cp, test.admin, await refused());
    expect(placement).toMatchObject({ outcome: 'refused', vmId: null, vmName: 'refused', hostId: null });
    expect(placement.decision.rejections).toEqual([{ filter: 'capacity-vcpus', rejected: 1 }]);
    expect(await test.sql('SELECT 1 FROM vms')).toEqual([]);
    const { items } = await listPlacements(test.cp, test.admin, { ...ALL, outcome: 'refused' });
    expect(items.map(({ id }) => id)).toEqual([placement.id]);
  });

  it('tells people of one project amounts and counts, not hosts, and nothing of other projects', async () => {
    const hostId = await aHost(test, { vmCount: 0 });
    const operator = await test.actor('operator', (await aProject(test)).id);
    const own = await refused(operator);
    const other = await refused(test.admin);
    const { items } = await listPlacements(test.cp, operator, ALL);
    expect(items.map(({ id }) => id)).toEqual([own]);
    expect(items[0]?.decision).toMatchObject({ hostCount: 1, verdicts: [], relaxation: null, isLimited: true });
    const [host] = await test.sql<{ name: string }>('SELECT name FROM hosts');
    expect(JSON.stringify(items)).not.toContain(hostId);
    expect(JSON.stringify(items)).not.toContain(host?.name);
    await expect(getPlacement(test.cp, operator, other)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('is bounded in size, however many hosts there are', async () => {
    await test.sql(
      `INSERT INTO hosts (id, name, address, connectivity, accelerator, last_report_at)
       SELECT gen_random_uuid(), 'full-' || n, '127.0.0.1:1', 'connected', 'tcg', now() FROM generate_series(1, 3000) n`,
    );
    const id = await refused();
    const { record, evidence } = await kept(id);
    expect(record.hostCount).toBe(3000);
    expect(evidence?.hosts).toHaveLength(20);
    expect(JSON.stringify({ record, evidence }).length).toBeLessThan(64 * 1024);
    const [row] = await test.sql<{ bytes: number }>('SELECT octet_length(packed) AS bytes FROM placements');
    expect(row?.bytes).toBeLessThan(8 * 1024);
  });
});

describe('replaying a decision', () => {
  it.each(['placed', 'refused'])(
    'of a VM that was %s gives the same, whatever the fleet has become',
    async (outcome) => {
      for (let count = 0; count < 3; count += 1) await aHost(test, { vmCount: outcome === 'placed' ? 3 : 0 });
      if (outcome === 'placed') for (let count = 0; count < 4; count += 1) await create();
      else await refused();
      await test.sql('UPDATE hosts SET reserved_vcpu_count = 0, capacity_vcpu_count = 1, accelerator = NULL');
      const { items } = await listPlacements(test.cp, test.admin, { ...ALL, outcome: outcome as 'placed' });
      for (const { id, decision } of items) {
        const replay = await replayPlacement(test.cp, test.admin, id);
        expect(replay).toMatchObject({ isSame: true, differences: [], replayedHostCount: 3, isComplete: true });
        expect(replay.decision).toEqual(decision);
      }
    },
  );

  it('says so when something else comes out, and when the record does not name all hosts', async () => {
    await aHost(test);
    const vmId = await create();
    const [placement] = (await listPlacements(test.cp, test.admin, { ...ALL, vmId })).items;
    const id = placement?.id as PlacementId;
    const { record, evidence } = await kept(id);
    const hosts = evidence?.hosts.map((host) => ({ ...host, state: 'cordoned' }));
    const packed = await pack({ ...record, hostCount: 40 }, JSON.stringify({ ...evidence, hosts }) as EvidenceJson);
    await test.sql('UPDATE placements SET packed = $1 WHERE id = $2', [packed, id]);
    const replay = await replayPlacement(test.cp, test.admin, id);
    expect(replay).toMatchObject({ isSame: false, isComplete: false });
    expect(replay.differences[0]).toBe('the outcome was placed and is refused');
  });

  it('is the same for a decision that an earlier release stored as JSON', async () => {
    await aHost(test);
    const vmId = await create();
    const [placement] = (await listPlacements(test.cp, test.admin, { ...ALL, vmId })).items;
    const id = placement?.id as PlacementId;
    const { record, evidence } = await kept(id);
    const json = [record, evidence].map((part) => JSON.stringify(part));
    await test.sql('UPDATE placements SET packed = NULL, record = $1, evidence = $2 WHERE id = $3', [...json, id]);
    expect(await getPlacement(test.cp, test.admin, id)).toEqual(placement);
    expect(await replayPlacement(test.cp, test.admin, id)).toMatchObject({ isSame: true, isComplete: true });
  });

  it('is refused where the evidence was not kept, and to people of one project', async () => {
    await aHost(test, { vmCount: 0 });
    const operator = await test.actor('operator', (await aProject(test)).id);
    const id = await refused(operator);
    await expect(replayPlacement(test.cp, operator, id)).rejects.toMatchObject({ code: 'forbidden' });
    const { record } = await kept(id);
    await test.sql('UPDATE placements SET packed = $1', [await pack(record, null)]);
    await expect(replayPlacement(test.cp, test.admin, id)).rejects.toMatchObject({ code: 'conflict_state' });
  });
});

describe('the reconciler of old placements', () => {
  it('forgets refusals after 14 days and what belongs to long deleted VMs, and keeps the rest', async () => {
    await aHost(test, { vmCount: 2 });
    const [kept, gone] = [await create(), await create()];
    const [young, old] = [await refused(), await refused()];
    await test.sql(`UPDATE placements SET created_at = now() - interval '15 days' WHERE id = $1 OR vm_id = $2`, [
      old,
      kept,
    ]);
    await test.sql(`UPDATE vms SET deleted_at = now() - interval '15 days' WHERE id = $1`, [gone]);
    expect(await reconcileOldPlacements(test.cp)).toBe(2);
    const { items } = await listPlacements(test.cp, test.admin, ALL);
    expect(items.map(({ id, vmId }) => vmId ?? id)).toEqual([young, kept]);
  });

  it('keeps the newest 10,000 refusals', async () => {
    await test.sql(
      `INSERT INTO placements (id, outcome, project_id, vm_name, record)
       SELECT gen_random_uuid(), 'refused', (SELECT id FROM projects), 'a', '{}' FROM generate_series(1, 10100)`,
    );
    expect(await reconcileOldPlacements(test.cp)).toBe(100);
    expect(await reconcileOldPlacements(test.cp)).toBe(0);
  });
});
