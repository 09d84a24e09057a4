import { newId, type VmId } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { revokeHost } from '../../src/host/hosts.js';
import { reconcileUnownedTemplates } from '../../src/reconcilers/unowned-templates.reconciler.js';
import { createVm } from '../../src/vm/create-vm.js';
import { getVm } from '../../src/vm/vms.js';
import { deleteVmTemplate } from '../../src/vm-template/delete-template.js';
import { observeTemplates } from '../../src/vm-template/observe-templates.js';
import { getVmTemplate } from '../../src/vm-template/vm-templates.js';
import { aName, vmRequest } from '../world/fleet-builder.js';
import { openSimulatedFleet, REPORT_WAIT, type SimulatedFleet } from '../world/simulated-fleet.js';
import { aWorldWithTemplate, freeze, perform, type TemplateWorld } from './template-world.js';

/** What becomes of a template when its host does not have it any more. */
let fleet: SimulatedFleet;
beforeAll(async () => {
  fleet = await openSimulatedFleet({ hostCount: 1, vmsPerHost: 100 });
});
afterAll(() => fleet.close());

const templateOf = ({ templateId }: TemplateWorld) => getVmTemplate(fleet.test.cp, fleet.test.admin, templateId);
const hostOf = async ({ vmId }: TemplateWorld) => {
  const { hostId } = await getVm(fleet.test.cp, fleet.test.admin, vmId);
  if (hostId === null) throw new TypeError('the VM has a host');
  return hostId;
};
/** As if it had been settled long ago: reports may have been on their way since before. */
const age = ({ templateId }: TemplateWorld) =>
  fleet.test.sql(`UPDATE vm_templates SET updated_at = now() - interval '1 hour' WHERE id = $1`, [templateId]);
const eventsOf = async ({ templateId }: TemplateWorld) => {
  const rows = await fleet.test.sql<{ data: { to: string; fact?: string } }>(
    `SELECT data FROM events WHERE resource_id = $1 AND data ? 'fact' ORDER BY seq`,
    [templateId],
  );
  return rows.map(({ data }) => [data.to, data.fact]);
};

describe('a template', () => {
  it('stays while its host tells of it, is lost once it does not, and is there again when it does', async () => {
    const { cp, admin } = fleet.test;
    const world = await aWorldWithTemplate(fleet);
    const hostId = await hostOf(world);
    await age(world);
    await observeTemplates(cp, hostId, [world.templateId], true);
    expect(await templateOf(world)).toMatchObject({ state: 'available' });
    await observeTemplates(cp, hostId, [], true);
    const reason = 'its host does not have it any more, or cannot read it';
    expect(await templateOf(world)).toMatchObject({ state: 'lost', failure: { code: 'host_fault', message: reason } });
    const { templateId } = world;
    const { flavorId: _flavor, imageId: _image, ...request } = vmRequest(fleet, { name: aName('fork'), templateId });
    await expect(createVm(cp, admin, request)).rejects.toMatchObject({
      code: 'conflict_state',
      message: expect.stringContaining(reason),
    });
    await observeTemplates(cp, hostId, [world.templateId], true);
    expect(await templateOf(world)).toMatchObject({ state: 'available', failure: null });
    expect(await eventsOf(world)).toEqual([
      ['lost', 'missing'],
      ['available', 'present'],
    ]);
  });

  it('is not lost by a report that may have been on its way since before it was made', async () => {
    const world = await aWorldWithTemplate(fleet);
    await observeTemplates(fleet.test.cp, await hostOf(world), [], true);
    expect(await templateOf(world)).toMatchObject({ state: 'available' });
    expect(await eventsOf(world)).toEqual([]);
  });

  it('that the agent does not find after its restart is lost by its reports, and can be deleted', async () => {
    const world = await aWorldWithTemplate(fleet);
    // The simulated machine keeps templates in memory; on the disk, where an agent looks at its start, is none.
    await fleet.hosts[0]?.restart();
    await age(world);
    await vi.waitFor(async () => expect(await templateOf(world)).toMatchObject({ state: 'lost' }), REPORT_WAIT);
    await perform(fleet, deleteVmTemplate(fleet.test.cp, fleet.test.admin, world.templateId));
    await expect(templateOf(world)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('that the site does not know is told of, and left as it is', async () => {
    const { cp } = fleet.test;
    const world = await aWorldWithTemplate(fleet);
    const unknownId = newId<VmId>();
    const warn = vi.fn();
    const hostId = await hostOf(world);
    await observeTemplates({ ...cp, log: { ...cp.log, warn } }, hostId, [world.templateId, unknownId], true);
    expect(warn.mock.calls.map(([fields]) => fields)).toEqual([{ hostId, templateIds: [unknownId] }]);
    // With the first report of a stream alone.
    await observeTemplates({ ...cp, log: { ...cp.log, warn } }, hostId, [world.templateId, unknownId], false);
    expect(warn).toHaveBeenCalledTimes(1);
  });

  it('left by an operation that has ended is settled', async () => {
    const { cp, sql } = fleet.test;
    const world = await aWorldWithTemplate(fleet);
    await sql(`UPDATE vm_templates SET state = 'deleting' WHERE id = $1`, [world.templateId]);
    const half = await aWorldWithTemplate(fleet);
    const { operation } = await freeze(fleet, half);
    await sql(`UPDATE operations SET state = 'failed' WHERE id = $1`, [operation.id]);
    expect(await reconcileUnownedTemplates(cp)).toBe(2);
    expect(await templateOf(world)).toMatchObject({ state: 'available', failure: { code: 'bug' } });
    expect(await templateOf(half)).toMatchObject({ state: 'lost', failure: { code: 'bug' } });
    expect(await reconcileUnownedTemplates(cp)).toBe(0);
  });

  it('is lost with its host, and is deleted without asking it', async () => {
    const { cp, admin } = fleet.test;
    const world = await aWorldWithTemplate(fleet);
    await revokeHost(cp, admin, await hostOf(world));
    expect(await templateOf(world)).toMatchObject({ state: 'lost', failure: { message: 'its host was revoked' } });
    await perform(fleet, deleteVmTemplate(cp, admin, world.templateId));
    await expect(templateOf(world)).rejects.toMatchObject({ code: 'not_found' });
  });
});
