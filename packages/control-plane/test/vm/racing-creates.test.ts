import type { DomainError } from '@kvorum/schema';
import { describe, expect, it } from 'vitest';
import { reconcileLeakedReservations } from '../../src/reconcilers/leaked-reservations.reconciler.js';
import { createVm } from '../../src/vm/create-vm.js';
import { createVmOperation } from '../../src/vm/create-vm.operation.js';
import { makeWorker, workToEnd } from '../operation-harness.js';
import { vmRequest } from '../world/fleet-builder.js';
import { openSimulatedFleet } from '../world/simulated-fleet.js';

describe('200 creates that race for 50 places on real agents', () => {
  it('end in 50 VMs that run, no host over its capacity, and 150 refusals with reasons', async () => {
    const fleet = await openSimulatedFleet({ hostCount: 10, vmsPerHost: 5 });
    const { cp, admin, sql } = fleet.test;
    const worker = makeWorker(cp.database, createVmOperation, cp);
    try {
      const ends = await Promise.allSettled(Array.from({ length: 200 }, () => createVm(cp, admin, vmRequest(fleet))));
      const accepted = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value.operation.id] : []));
      const refusals = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as DomainError] : []));
      expect([accepted.length, refusals.length]).toEqual([50, 150]);
      for (const refusal of refusals) {
        expect(refusal).toMatchObject({
          code: 'no_capacity',
          details: { placement: { outcome: 'refused', hostCount: 10 } },
        });
      }
      const states = await Promise.all(accepted.map((id) => workToEnd(cp.database, worker, id)));
      expect(new Set(states.map((end) => end.state))).toEqual(new Set(['succeeded']));
      expect(fleet.hosts.map((host) => host.machine.processes.size)).toEqual(Array.from({ length: 10 }, () => 5));
      const ids = fleet.hosts.flatMap((host) => host.machine.launches.map((launch) => launch.vmId));
      expect(new Set(ids).size).toBe(50);
      expect(await sql(`SELECT state, count(*)::int AS n FROM vms GROUP BY state`)).toEqual([
        { state: 'running', n: 50 },
      ]);
      expect(await reconcileLeakedReservations(cp)).toBe(0);
    } finally {
      worker.die();
      await fleet.close();
    }
  });
});
