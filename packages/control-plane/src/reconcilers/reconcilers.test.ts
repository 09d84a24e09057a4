import { VM_LIFECYCLE, VM_STATES } from '@kvorum/schema';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aHost, aProject, aVm, type Ingredients, ingredients } from '../../test/world/fleet-builder.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import { reconcileLeakedReservations } from './leaked-reservations.reconciler.js';
import { reconcileOldKeys } from './old-idempotency-keys.reconciler.js';
import { startReconcilers } from './start-reconcilers.js';
import { reconcileUnownedVms } from './unowned-vms.reconciler.js';

let test: TestControlPlane;
let from: Ingredients;
let hostId: string;
beforeEach(async () => {
  test = await openTestControlPlane();
  from = await ingredients(test);
  hostId = await aHost(test);
});
afterEach(() => test.close());

const COUNTERS = `SELECT h.reserved_vcpu_count AS vcpus, h.reserved_memory_bytes::text AS memory, h.reserved_disk_bytes::text AS disk,
  p.used_vm_count AS vms, p.used_vcpu_count AS used_vcpus, p.used_memory_bytes::text AS used_memory, p.used_disk_bytes::text AS used_disk
  FROM hosts h, projects p WHERE p.name = 'default' ORDER BY h.id`;

describe('the reconciler of reservations', () => {
  it('finds nothing where nothing is wrong, with VMs in any state', async () => {
    for (const state of ['creating', 'running', 'stopped', 'failed']) await aVm(test, from, state);
    const before = await test.sql(COUNTERS);
    expect(await reconcileLeakedReservations(test.cp)).toBe(0);
    expect(await test.sql(COUNTERS)).toEqual(before);
  });

  it('releases what a deleted VM holds, and tells of it', async () => {
    await aVm(test, from);
    const before = await test.sql(COUNTERS);
    const { vmId } = await aVm(test, from);
    await test.sql(`UPDATE vms SET state = 'deleted', deleted_at = now() WHERE id = $1`, [vmId]);
    // The reservation, and the project's counters, which still have the VM.
    expect(await reconcileLeakedReservations(test.cp)).toBe(2);
    expect(await test.sql(COUNTERS)).toEqual(before);
    expect(await reconcileLeakedReservations(test.cp)).toBe(0);
    const events = await test.sql(`SELECT type FROM events WHERE type LIKE '%.repaired' ORDER BY type`);
    expect(events).toEqual([{ type: 'host.repaired' }, { type: 'project.repaired' }]);
  });

  it('puts counters right that are not the sum of their rows', async () => {
    await aVm(test, from);
    await aHost(test);
    await aProject(test);
    const before = await test.sql(COUNTERS);
    await test.sql('UPDATE hosts SET reserved_vcpu_count = 77, reserved_memory_bytes = 1 WHERE id = $1', [hostId]);
    await test.sql(`UPDATE projects SET used_vm_count = 9, used_disk_bytes = 0`);
    // One host, and both projects.
    expect(await reconcileLeakedReservations(test.cp)).toBe(3);
    expect(await test.sql(COUNTERS)).toEqual(before);
  });

  it('counts a VM whose creation was undone as a VM and as nothing more', async () => {
    const { vmId } = await aVm(test, from, 'failed');
    await test.sql('DELETE FROM reservations WHERE vm_id = $1', [vmId]);
    await reconcileLeakedReservations(test.cp);
    expect(await test.sql(COUNTERS)).toEqual([
      { vcpus: 0, memory: '0', disk: '0', vms: 1, used_vcpus: 0, used_memory: '0', used_disk: '0' },
    ]);
  });
});

describe('the reconciler of VMs that nobody works on', () => {
  it('settles each transitional state as unwound, and touches no other', async () => {
    for (const state of VM_STATES) {
      const { vmId } = await aVm(test, from, state);
      const { settled, result } = VM_LIFECYCLE[state];
      expect([state, await reconcileUnownedVms(test.cp)]).toEqual([state, settled ? 0 : 1]);
      const [row] = await test.sql<{ state: string }>('SELECT state FROM vms WHERE id = $1', [vmId]);
      expect([state, row?.state]).toEqual([state, settled ? state : result.unwound]);
    }
  });

  it.each(['queued', 'running', 'unwinding', 'stuck'])('leaves a VM to its operation that is %s', async (state) => {
    const { operationId } = await aVm(test, from, 'starting');
    await test.sql('UPDATE operations SET state = $2 WHERE id = $1', [operationId, state]);
    expect(await reconcileUnownedVms(test.cp)).toBe(0);
  });
});

describe('the reconciler of idempotency keys', () => {
  it('forgets those that are older than a day', async () => {
    await test.sql(
      `INSERT INTO idempotency_keys (token_id, key, request_sha256, status, resource_id, created_at)
       VALUES ($1, 'old', '', 202, $1, now() - interval '25 hours'), ($1, 'young', '', 202, $1, now() - interval '23 hours')`,
      [test.admin.tokenId],
    );
    expect(await reconcileOldKeys(test.cp)).toBe(1);
    expect(await test.sql('SELECT key FROM idempotency_keys')).toEqual([{ key: 'young' }]);
  });
});

describe('reconcilers', () => {
  it('run until they are closed', async () => {
    const running = startReconcilers(test.cp);
    await test.sql(`UPDATE hosts SET last_report_at = now() - interval '1 minute'`);
    await expect
      .poll(async () => (await test.sql('SELECT connectivity FROM hosts'))[0], { timeout: 8000 })
      .toEqual({ connectivity: 'unreachable' });
    await running.close();
  });
});
