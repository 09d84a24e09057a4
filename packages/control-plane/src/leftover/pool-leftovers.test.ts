import { DomainError, type HostId, type LeftoverId, newId } from '@kvorum/schema';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aHost } from '../../test/world/fleet-builder.js';
import { aPoolReport, reportPools } from '../../test/world/memory-pools.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import type { AgentPort } from '../agents/agent-port.js';
import type { ControlPlane } from '../control-plane.js';
import { reconcileStoragePools } from '../reconcilers/storage-pools.reconciler.js';
import { deleteLeftover } from './delete-leftover.js';
import { listLeftovers } from './leftovers.js';
import { sweepHost } from './sweep-host.js';

let test: TestControlPlane;
let cp: ControlPlane;
let hosts: HostId[];
let pool: { readonly id: string; readonly name: string };
/** What lies aside on the pool, whoever asks; and by which host something was removed. */
let aside: Map<string, number>;
let removedBy: string[];
let fault: DomainError | null;
beforeEach(async () => {
  test = await openTestControlPlane();
  hosts = [(await aHost(test)) as HostId, (await aHost(test)) as HostId];
  const report = aPoolReport({ driver: 'shared-dir' });
  pool = { id: report.poolId ?? '', name: report.name };
  for (const host of hosts) await reportPools(test, host, [{ ...report }]);
  [aside, removedBy, fault] = [new Map(), [], null];
  const agentOf = (host: { readonly id: string }): Partial<AgentPort> => ({
    sweepHost: async () => ({ quarantined: [], removed: [], faults: [], vmIds: [], templateIds: [] }),
    sweepPool: async () => {
      if (fault !== null) throw fault;
      const setAside = [...aside].map(([name, sizeBytes]) => ({ name, sizeBytes }));
      return { purgedVolumeIds: [], quarantined: [], faults: [], setAside };
    },
    removeSetAside: async (_poolId, name) => {
      removedBy.push(host.id);
      aside.delete(name);
    },
  });
  cp = {
    ...test.cp,
    agents: { agentOf: (host) => agentOf(host as never) as AgentPort, close: async () => undefined },
  };
});
afterEach(() => test.close());

const list = async () => (await listLeftovers(cp, test.admin, { limit: 100 })).items;
const findings = () =>
  test.sql(`SELECT data->>'file' AS file FROM events WHERE type = 'storage-pool.finding' ORDER BY seq`);
const lose = (hostId: string) => test.sql(`UPDATE hosts SET connectivity = 'unreachable' WHERE id = $1`, [hostId]);

describe('what lies aside on a storage pool', () => {
  it('is listed once for all hosts of the pool, with whose it was, and told once', async () => {
    const volumeId = newId<string>();
    const name = `${volumeId}.${volumeId}.qcow2`;
    aside = new Map([
      [name, 4096],
      ['stray', 1],
    ]);
    for (const host of hosts) await sweepHost(cp, test.admin, host);
    const of = { kind: 'volume', pool, isQuarantined: true, host: { id: hosts[1] } };
    const found = await list();
    expect(found).toHaveLength(2);
    expect(found).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ kind: 'volume', name, ownerId: volumeId, sizeBytes: 4096 }),
        expect.objectContaining({ kind: 'volume', name: 'stray', ownerId: null, sizeBytes: 1 }),
      ]),
    );
    expect(found).toMatchObject([of, of]);
    expect(await findings()).toHaveLength(2);
  });

  it('is found by the hourly look at the pool, and forgotten when it is gone', async () => {
    aside.set('stray', 1);
    expect(await reconcileStoragePools(cp, 0)).toBe(1);
    expect(await list()).toMatchObject([{ name: 'stray', pool }]);
    aside.clear();
    expect(await reconcileStoragePools(cp, 0)).toBe(0);
    expect(await list()).toEqual([]);
  });

  it('stays on record when the pool cannot be looked at, which a sweep of the host says', async () => {
    aside.set('stray', 1);
    await sweepHost(cp, test.admin, hosts[0] as HostId);
    fault = new DomainError('unavailable', 'not mounted');
    const { faults } = await sweepHost(cp, test.admin, hosts[0] as HostId);
    expect(faults).toEqual([`storage pool ${pool.name}: not mounted`]);
    expect(await list()).toHaveLength(1);
  });

  it('stays when a host is looked at that has another of the same name on another pool', async () => {
    const report = aPoolReport();
    await reportPools(test, hosts[0] as HostId, [report, aPoolReport({ driver: 'shared-dir' }, pool.id, pool.name)]);
    aside.set('stray', 1);
    await sweepHost(cp, test.admin, hosts[0] as HostId);
    expect((await list()).map(({ pool: of }) => of?.id).sort()).toEqual([pool.id, report.poolId].sort());
  });

  it('is deleted by any host that can use the pool, and told of', async () => {
    aside.set('stray', 1);
    await sweepHost(cp, test.admin, hosts[0] as HostId);
    const [leftover] = await list();
    await lose(hosts[0] as HostId);
    await deleteLeftover(cp, test.admin, leftover?.id as LeftoverId);
    expect([aside.size, removedBy]).toEqual([0, [hosts[1]]]);
    expect(await list()).toEqual([]);
    expect(await test.sql(`SELECT data FROM events WHERE type = 'host.leftover-removed'`)).toMatchObject([
      { data: { pool: pool.name, file: 'stray', ownerId: null } },
    ]);
    const again = deleteLeftover(cp, test.admin, leftover?.id as LeftoverId);
    await expect(again).rejects.toMatchObject({ code: 'not_found' });
  });

  it('is not deleted while no host can use the pool', async () => {
    aside.set('stray', 1);
    await sweepHost(cp, test.admin, hosts[0] as HostId);
    for (const host of hosts) await lose(host);
    const [leftover] = await list();
    await expect(deleteLeftover(cp, test.admin, leftover?.id as LeftoverId)).rejects.toMatchObject({
      code: 'host_unreachable',
      message: expect.stringContaining(pool.name),
    });
    expect(await list()).toHaveLength(1);
  });
});
