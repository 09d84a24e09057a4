import { DomainError, type HostId, type LeftoverId, newId } from '@kvorum/schema';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aHost, aProject, aVm, type Ingredients, ingredients } from '../../test/world/fleet-builder.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import type { AgentPort, Intent } from '../agents/agent-port.js';
import type { AgentHostSweep } from '../agents/leftover-calls.js';
import type { ControlPlane } from '../control-plane.js';
import { reconcileLeftovers } from '../reconcilers/leftovers.reconciler.js';
import { deleteLeftover } from './delete-leftover.js';
import { listLeftovers } from './leftovers.js';
import { sweepHost } from './sweep-host.js';

const PAGE = { limit: 100 };

let test: TestControlPlane;
let from: Ingredients;
let hostId: HostId;
let cp: ControlPlane;
/** What the agent of every host answers, and what it was asked to remove. */
let answer: AgentHostSweep;
let asked: { readonly imageSha256s: readonly string[]; readonly removed: string[]; readonly removedVms: Intent[] };
let fault: DomainError | null;
beforeEach(async () => {
  test = await openTestControlPlane();
  from = await ingredients(test);
  hostId = (await aHost(test)) as HostId;
  answer = { quarantined: [], removed: [], faults: [], vmIds: [], templateIds: [] };
  asked = { imageSha256s: [], removed: [], removedVms: [] };
  fault = null;
  const agent: Partial<AgentPort> = {
    sweepHost: async ({ imageSha256s }) => {
      if (fault !== null) throw fault;
      asked = { ...asked, imageSha256s };
      return answer;
    },
    removeTemplate: async (templateId) => void asked.removed.push(templateId),
    removeLeftover: async (name) => void asked.removed.push(name),
    observeVm: async (vmId) => ({ vmId, generation: 7, epoch: 3 }) as Awaited<ReturnType<AgentPort['observeVm']>>,
    removeVm: async (intent) => void asked.removedVms.push(intent),
  };
  cp = { ...test.cp, agents: { agentOf: () => agent as AgentPort, close: async () => undefined } };
});
afterEach(() => test.close());

const disksOf = (ownerId: string, sizeBytes = 4096) => ({
  kind: 'disks' as const,
  name: `disks.${ownerId}.1`,
  ownerId,
  sizeBytes,
});
const list = async () => (await listLeftovers(cp, test.admin, PAGE)).items;
const eventsOf = (type: string) => test.sql(`SELECT data->>'ownerId' AS owner FROM events WHERE type = $1`, [type]);
const settle = (vmId: string) =>
  test.sql(`UPDATE vms SET updated_at = now() - interval '1 hour' WHERE id = $1`, [vmId]);

describe('leftovers of a host', () => {
  it('are kept as the host tells of them, and told once', async () => {
    const owner = newId<string>();
    answer = { ...answer, quarantined: [disksOf(owner)] };
    const { leftovers } = await sweepHost(cp, test.admin, hostId);
    expect(leftovers).toMatchObject([
      { host: { id: hostId }, kind: 'disks', ownerId: owner, isQuarantined: true, sizeBytes: 4096 },
    ]);
    answer = { ...answer, quarantined: [disksOf(owner, 8192)] };
    await sweepHost(cp, test.admin, hostId);
    expect(await list()).toMatchObject([{ id: leftovers[0]?.id, sizeBytes: 8192 }]);
    expect(await eventsOf('host.leftover')).toEqual([{ owner }]);
  });

  it('are forgotten when the host has them no more, and those of other hosts are not', async () => {
    const other = (await aHost(test)) as HostId;
    answer = { ...answer, quarantined: [disksOf(newId())] };
    await sweepHost(cp, test.admin, hostId);
    await sweepHost(cp, test.admin, other);
    answer = { ...answer, quarantined: [] };
    await sweepHost(cp, test.admin, hostId);
    expect(await list()).toMatchObject([{ host: { id: other } }]);
  });

  it('are told of no more when the host was revoked: nobody could delete them', async () => {
    answer = { ...answer, quarantined: [disksOf(newId())] };
    await sweepHost(cp, test.admin, hostId);
    await test.sql(`UPDATE hosts SET state = 'revoked' WHERE id = $1`, [hostId]);
    expect(await list()).toEqual([]);
  });

  it('stay on record when the host cannot be asked', async () => {
    answer = { ...answer, quarantined: [disksOf(newId())] };
    await sweepHost(cp, test.admin, hostId);
    fault = new DomainError('host_unreachable', 'gone');
    await expect(sweepHost(cp, test.admin, hostId)).rejects.toMatchObject({ code: 'host_unreachable' });
    expect(await reconcileLeftovers(cp, 0)).toBe(0);
    expect(await list()).toHaveLength(1);
  });

  it('are looked for in turn, by one process each time', async () => {
    await aHost(test);
    answer = { ...answer, quarantined: [disksOf(newId())] };
    const [one, two, three] = await Promise.all([1, 2, 3].map(() => reconcileLeftovers(cp)));
    const later = await reconcileLeftovers(cp);
    expect((one ?? 0) + (two ?? 0) + (three ?? 0) + later).toBe(2);
    expect(await reconcileLeftovers(cp)).toBe(0);
  });

  it('are judged by the images that the site has', async () => {
    await sweepHost(cp, test.admin, hostId);
    const rows = await test.sql<{ sha256: string }>('SELECT sha256 FROM images WHERE deleted_at IS NULL');
    expect(asked.imageSha256s).toEqual(rows.map(({ sha256 }) => sha256));
  });

  it('are for people of the whole site', async () => {
    const actor = { ...test.admin, projectId: (await aProject(test)) as never };
    await expect(listLeftovers(cp, actor, PAGE)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(sweepHost(cp, actor, hostId)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(deleteLeftover(cp, actor, newId<LeftoverId>())).rejects.toMatchObject({ code: 'forbidden' });
  });
});

describe('a VM that a host tells of', () => {
  it('is no leftover while the site has it there, in whatever state', async () => {
    const vms: string[] = [];
    for (const state of ['creating', 'running', 'failed']) vms.push((await aVm(test, from, state)).vmId);
    for (const vmId of vms) await settle(vmId);
    const [{ host_id: ofVms } = { host_id: '' }] = await test.sql<{ host_id: string }>(
      'SELECT host_id FROM reservations',
    );
    answer = { ...answer, vmIds: vms };
    await sweepHost(cp, test.admin, ofVms as HostId);
    expect(await list()).toEqual([]);
  });

  it.each([
    ['has never had', async () => newId<string>()],
    [
      'has deleted',
      async () => {
        const { vmId } = await aVm(test, from);
        await test.sql(`DELETE FROM reservations WHERE vm_id = $1`, [vmId]);
        await test.sql(`UPDATE vms SET deleted_at = now(), host_id = NULL WHERE id = $1`, [vmId]);
        await settle(vmId);
        return vmId;
      },
    ],
    [
      'has on another host',
      async () => {
        const { vmId } = await aVm(test, from);
        const other = await aHost(test);
        await test.sql(`UPDATE reservations SET host_id = $2 WHERE vm_id = $1`, [vmId, other]);
        await test.sql(`UPDATE vms SET host_id = $2 WHERE id = $1`, [vmId, other]);
        await settle(vmId);
        return vmId;
      },
    ],
  ])('is one when the site %s it, and is left running', async (_, make) => {
    const vmId = await make();
    answer = { ...answer, vmIds: [vmId] };
    await sweepHost(cp, test.admin, hostId);
    expect(await list()).toMatchObject([{ kind: 'vm', ownerId: vmId, isQuarantined: false }]);
    expect(asked.removedVms).toEqual([]);
  });

  it('is none while its deletion is news', async () => {
    const { vmId } = await aVm(test, from);
    await test.sql(`DELETE FROM reservations WHERE vm_id = $1`, [vmId]);
    await test.sql(`UPDATE vms SET deleted_at = now(), host_id = NULL, updated_at = now() WHERE id = $1`, [vmId]);
    answer = { ...answer, vmIds: [vmId] };
    await sweepHost(cp, test.admin, hostId);
    expect(await list()).toEqual([]);
  });

  it('is ended when a person deletes it, by an intent that any operation of the site overtakes', async () => {
    const vmId = newId<string>();
    answer = { ...answer, vmIds: [vmId] };
    await sweepHost(cp, test.admin, hostId);
    const [leftover] = await list();
    await deleteLeftover(cp, test.admin, leftover?.id as LeftoverId);
    expect(asked.removedVms).toMatchObject([{ vmId, generation: 7, epoch: 3, fencingToken: Number.MAX_SAFE_INTEGER }]);
    expect(await list()).toEqual([]);
  });

  it('is not ended when the site has it there by now', async () => {
    const { vmId } = await aVm(test, from);
    const [{ host_id: ofVm } = { host_id: '' }] = await test.sql<{ host_id: string }>(
      'SELECT host_id FROM reservations',
    );
    const leftoverId = newId<LeftoverId>();
    await test.sql(
      `INSERT INTO leftovers (id, host_id, kind, name, owner_id, size_bytes, first_seen_at, last_seen_at)
       VALUES ($1, $2, 'vm', $3::text, $3::uuid, 0, now(), now())`,
      [leftoverId, ofVm, vmId],
    );
    await expect(deleteLeftover(cp, test.admin, leftoverId)).rejects.toMatchObject({ code: 'conflict_state' });
    expect(asked.removedVms).toEqual([]);
  });
});

describe('a template that a host tells of', () => {
  it('is a leftover when the site has none such, and is removed from its host when a person deletes it', async () => {
    const templateId = newId<string>();
    answer = { ...answer, templateIds: [templateId] };
    await sweepHost(cp, test.admin, hostId);
    const [leftover] = await list();
    expect(leftover).toMatchObject({ kind: 'template', ownerId: templateId, isQuarantined: false });
    await deleteLeftover(cp, test.admin, leftover?.id as LeftoverId);
    expect(asked.removed).toEqual([templateId]);
    expect(await list()).toEqual([]);
  });
});

describe('an entry of the quarantine', () => {
  it('is removed from its host and then from the record, and told of', async () => {
    const owner = newId<string>();
    answer = { ...answer, quarantined: [disksOf(owner)] };
    await sweepHost(cp, test.admin, hostId);
    const [leftover] = await list();
    await deleteLeftover(cp, test.admin, leftover?.id as LeftoverId);
    expect(asked.removed).toEqual([`disks.${owner}.1`]);
    expect(await list()).toEqual([]);
    expect(await eventsOf('host.leftover-removed')).toEqual([{ owner }]);
    await expect(deleteLeftover(cp, test.admin, leftover?.id as LeftoverId)).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});
