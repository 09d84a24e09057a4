import { DomainError, type HostId, VmHardware } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aHost, aName, aVm, ingredients } from '../../test/world/fleet-builder.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import { createHostGroup, deleteHostGroup, updateHostGroup } from './change-host-group.js';
import { getHostGroup, listHostGroups } from './host-groups.js';
import { getCpuBaseline, previewBaseline } from './preview-baseline.js';

let test: TestControlPlane;
beforeAll(async () => {
  test = await openTestControlPlane();
});
afterAll(() => test.close());

const NEW = ['Nehalem-v1', 'Haswell-v4'];
const OLD = ['Nehalem-v1'];

/** A host whose agent has said what its QEMU can do; its traits as the report would have made them. */
async function aKnownHost(models: readonly string[], machineTypes = ['pc-q35-10.0']): Promise<HostId> {
  const id = (await aHost(test)) as HostId;
  const support = {
    accelerator: 'tcg',
    models: models.map((name, index) => ({ name, featureCount: 30 + index })),
    features: models.map((name) => name.toLowerCase()),
    level: 2,
    withheldFeatures: [],
  };
  const facts = { cpu: [support], machineTypes, kvm: {} };
  const traits = [...models.map((name) => `cpu-model:${name}`), ...machineTypes.map((name) => `machine-type:${name}`)];
  await test.sql('UPDATE hosts SET facts = $2, traits = $3, traits_sha256 = $4 WHERE id = $1', [
    id,
    JSON.stringify(facts),
    traits,
    traits.join(),
  ]);
  return id;
}
const aGroup = (hostIds: HostId[] = []) =>
  createHostGroup(test.cp, test.admin, {
    name: aName('group'),
    description: '',
    policy: 'pack',
    reserve: { hostFailures: 0 },
    hostIds,
    allowBaselineLoss: false,
  });
const change = (changes: object) => ({ addHostIds: [], removeHostIds: [], allowBaselineLoss: false, ...changes });
const withModel = (model: string) => VmHardware.parse({ cpu: { model } });

describe('a host group', () => {
  it('has members, which leave before others join, and counts its changes', async () => {
    const [a, b] = [await aKnownHost(NEW), await aKnownHost(NEW)];
    const group = await aGroup([a]);
    expect(group).toMatchObject({ hostIds: [a], generation: 1 });
    const changed = await updateHostGroup(
      test.cp,
      test.admin,
      group.id,
      change({ addHostIds: [b], removeHostIds: [a], description: 'new' }),
      { ifMatch: 1 },
    );
    expect(changed).toMatchObject({ hostIds: [b], description: 'new', generation: 2, name: group.name });
    await expect(updateHostGroup(test.cp, test.admin, group.id, change({}), { ifMatch: 1 })).rejects.toMatchObject({
      code: 'precondition_failed',
    });
    expect(await getHostGroup(test.cp, test.admin, group.id)).toEqual(changed);
    const { items } = await listHostGroups(test.cp, test.admin, { limit: 50, name: group.name });
    expect(items).toEqual([changed]);
  });

  it('is deleted only when it is empty', async () => {
    const a = await aKnownHost(NEW);
    const group = await aGroup([a]);
    await expect(deleteHostGroup(test.cp, test.admin, group.id)).rejects.toMatchObject({ code: 'in_use' });
    await updateHostGroup(test.cp, test.admin, group.id, change({ removeHostIds: [a] }));
    await deleteHostGroup(test.cp, test.admin, group.id);
    await expect(getHostGroup(test.cp, test.admin, group.id)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('has a name of its own', async () => {
    const [one, two] = [await aGroup(), await aGroup()];
    await expect(updateHostGroup(test.cp, test.admin, two.id, change({ name: one.name }))).rejects.toMatchObject({
      code: 'already_exists',
    });
  });

  it.each<[string, string, () => Promise<string>]>([
    [
      'is in another group',
      'conflict_state',
      async () => {
        const host = await aKnownHost(NEW);
        await aGroup([host]);
        return host;
      },
    ],
    ['has never reported', 'conflict_state', () => aHost(test)],
    ['was revoked', 'conflict_state', () => aHost(test, { state: 'revoked' })],
    ['does not exist', 'not_found', async () => '019a0000-0000-7000-8000-00000000ffff'],
  ])('takes no host that %s, and stays as it is', async (_what, code, host) => {
    const group = await aGroup();
    const addHostIds = [(await host()) as HostId];
    await expect(updateHostGroup(test.cp, test.admin, group.id, change({ addHostIds }))).rejects.toMatchObject({
      code,
    });
    expect(await getHostGroup(test.cp, test.admin, group.id)).toEqual(group);
  });

  it('takes a host once, when two groups ask for it at the same time', async () => {
    const host = await aKnownHost(NEW);
    const groups = await Promise.all([aGroup(), aGroup(), aGroup()]);
    const outcomes = await Promise.allSettled(
      groups.map(({ id }) => updateHostGroup(test.cp, test.admin, id, change({ addHostIds: [host] }))),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});

describe('the baseline of a group', () => {
  it('is what all members have, by what they said last', async () => {
    const group = await createHostGroup(test.cp, test.admin, {
      name: aName('group'),
      description: '',
      policy: 'pack',
      reserve: { hostFailures: 0 },
      hostIds: [await aKnownHost(NEW, ['pc-q35-10.0', 'pc-q35-9.2']), await aKnownHost(OLD)],
      allowBaselineLoss: false,
    });
    const { baseline, unknownHostIds } = await getCpuBaseline(test.cp, test.admin, group.id);
    expect(baseline).toMatchObject({ hostCount: 2, recommendedModel: 'Nehalem-v1', machineTypes: ['pc-q35-10.0'] });
    expect(unknownHostIds).toEqual([]);
  });

  it('shrinks only with leave, after saying what is lost and for which VMs', async () => {
    const member = await aKnownHost(NEW);
    const older = await aKnownHost(OLD);
    const group = await aGroup([member]);
    const from = await ingredients(test);
    const affected = await aVm(test, from, 'running', { hostId: member, hardware: withModel('Haswell-v4') });
    await aVm(test, from, 'running', { hostId: member, hardware: withModel('Nehalem-v1') });

    const preview = await previewBaseline(test.cp, test.admin, group.id, { hostIds: [older] });
    expect(preview).toMatchObject({
      isLoss: true,
      featuresLost: ['haswell-v4'],
      modelsLost: ['Haswell-v4'],
      machineTypesLost: [],
      affectedVmCount: 1,
      affectedVms: [{ id: affected.vmId, hostId: member, model: 'Haswell-v4' }],
    });
    expect((await getHostGroup(test.cp, test.admin, group.id)).hostIds).toEqual([member]);

    const joining = change({ addHostIds: [older] });
    const refusal = await updateHostGroup(test.cp, test.admin, group.id, joining).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(DomainError);
    expect(refusal).toMatchObject({ code: 'conflict_state', details: { preview } });
    expect((refusal as DomainError).message).toContain('1 CPU models (Haswell-v4)');

    const joined = await updateHostGroup(test.cp, test.admin, group.id, { ...joining, allowBaselineLoss: true });
    expect(joined.hostIds).toEqual([member, older].sort());
  });

  it('says so of VMs that a joining host brings', async () => {
    const group = await aGroup([await aKnownHost(OLD)]);
    const newer = await aKnownHost(NEW);
    const from = await ingredients(test);
    const { vmId } = await aVm(test, from, 'running', { hostId: newer, hardware: withModel('Haswell-v4') });
    const preview = await previewBaseline(test.cp, test.admin, group.id, { hostIds: [newer] });
    expect(preview).toMatchObject({ isLoss: false, affectedVmCount: 1, affectedVms: [{ id: vmId }] });
  });
});

describe('placement', () => {
  it('goes by the CPU model: no host without it, and the refusal names it', async () => {
    const from = await ingredients(test);
    const hostId = await aKnownHost(OLD);
    await expect(aVm(test, from, 'running', { hostId, hardware: withModel('Haswell-v4') })).rejects.toMatchObject({
      code: 'no_capacity',
      message: expect.stringContaining('cpu-model:Haswell-v4'),
    });
  });
});
