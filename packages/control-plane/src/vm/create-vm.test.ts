import { createHash } from 'node:crypto';
import {
  type AcceptedOperation,
  type CreateVmRequest,
  DomainError,
  type ErrorCode,
  MIB,
  type ProjectId,
} from '@kvorum/schema';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  aFlavor,
  aHost,
  anImage,
  aProject,
  type Ingredients,
  ingredients,
  VM_SIZE,
  vmRequest,
} from '../../test/world/fleet-builder.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import type { ControlPlane } from '../control-plane.js';
import { getOperation } from '../operations/get-operation.js';
import { createVm } from './create-vm.js';
import { getVm } from './vms.js';

let test: TestControlPlane;
let from: Ingredients;
beforeEach(async () => {
  test = await openTestControlPlane();
  from = await ingredients(test);
});
afterEach(() => test.close());

const idempotency = (key: string, body = 'a') => ({
  idempotency: { key, requestSha256: createHash('sha256').update(body).digest() },
});

const codeOf = (error: unknown): ErrorCode | 'bug' => (error instanceof DomainError ? error.code : 'bug');
/** Codes of refusals and 'accepted', counted. */
const outcomes = (settled: readonly PromiseSettledResult<AcceptedOperation>[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const end of settled) {
    const outcome = end.status === 'fulfilled' ? 'accepted' : codeOf(end.reason);
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
};

const EVERYTHING = `
  SELECT (SELECT count(*)::int FROM vms) AS vms, (SELECT count(*)::int FROM volumes) AS volumes,
         (SELECT count(*)::int FROM reservations) AS reservations, (SELECT count(*)::int FROM placements WHERE outcome = 'placed') AS placements,
         (SELECT count(*)::int FROM operations) AS operations, (SELECT count(*)::int FROM idempotency_keys) AS keys,
         (SELECT sum(used_vm_count)::int FROM projects) AS used_vms,
         (SELECT coalesce(sum(reserved_vcpu_count), 0)::int FROM hosts) AS reserved_vcpus`;
const NOTHING = {
  vms: 0,
  volumes: 0,
  reservations: 0,
  placements: 0,
  operations: 0,
  keys: 0,
  used_vms: 0,
  reserved_vcpus: 0,
};
const expectNothingChanged = async (): Promise<void> => expect(await test.sql(EVERYTHING)).toEqual([NOTHING]);

describe('creating a VM', () => {
  it('records VM, disk, room, placement and operation, and rings for a worker', async () => {
    const hostId = await aHost(test);
    const { operation, resourceId } = await createVm(test.cp, test.admin, vmRequest(from, { name: 'web' }));
    expect(operation).toMatchObject({ kind: 'vm.create', state: 'queued', resourceKind: 'vm', resourceId });
    expect(operation.steps.map((step) => step.name)).toEqual(['ensure-image', 'ensure-disk', 'ensure-vm']);
    expect(await getOperation(test.cp, test.admin, operation.id)).toEqual(operation);
    expect(test.rung).toEqual([operation.id]);
    const vm = await getVm(test.cp, test.admin, resourceId as never);
    expect(vm).toMatchObject({
      name: 'web',
      state: 'creating',
      generation: 1,
      epoch: 1,
      hostId,
      accelerator: 'tcg',
      operationId: operation.id,
      volumes: [{ role: 'root', sizeBytes: VM_SIZE.rootDiskBytes }],
    });
    expect(await test.sql(EVERYTHING)).toEqual([
      { ...NOTHING, vms: 1, volumes: 1, reservations: 1, placements: 1, operations: 1, used_vms: 1, reserved_vcpus: 1 },
    ]);
    const [event] = await test.sql<{ data: object }>(`SELECT data FROM events WHERE type = 'vm.state'`);
    expect(event?.data).toMatchObject({ from: null, to: 'creating', hostId });
  });

  it.each([
    ['may give half by default', undefined, { enabled: true, minimumBytes: 128 * MIB, shares: 1000 }],
    ['keeps a minimum', { minimumBytes: 64 * MIB, shares: 5 }, { enabled: true, minimumBytes: 64 * MIB, shares: 5 }],
    ['keeps all', { enabled: false, shares: 1000 }, { enabled: false, minimumBytes: null, shares: 1000 }],
  ])('records what its balloon may do: %s', async (_what, balloon, expected) => {
    await aHost(test);
    const request = vmRequest(from, { balloon: balloon && { enabled: true, ...balloon } });
    const { operation, resourceId } = await createVm(test.cp, test.admin, request);
    const vm = await getVm(test.cp, test.admin, resourceId as never);
    expect(vm.balloon).toEqual({ ...expected, status: null, workingSetBytes: null });
    const [{ sent } = { sent: null }] = await test.sql<{ sent: unknown }>(
      `SELECT input -> 'balloon' AS sent FROM operations WHERE id = $1`,
      [operation.id],
    );
    const { minimumBytes, shares } = expected;
    expect(sent).toEqual(minimumBytes === null ? null : { minimumBytes, shares });
  });

  it('gives each start an epoch: a VM that is made stopped has had none', async () => {
    await aHost(test);
    const { resourceId } = await createVm(test.cp, test.admin, vmRequest(from, { start: false }));
    expect((await getVm(test.cp, test.admin, resourceId as never)).epoch).toBe(0);
  });

  it.each<[string, () => Promise<Parameters<typeof vmRequest>[1]>, ErrorCode]>([
    ['an unknown flavor', async () => ({ flavorId: from.imageId as never }), 'not_found'],
    ['an unknown image', async () => ({ imageId: from.flavor.id as never }), 'not_found'],
    ['an unknown project', async () => ({ projectId: from.imageId as never }), 'not_found'],
    [
      'an image without content',
      async () => ({ imageId: await anImage(test, { state: 'uploading' }) }),
      'conflict_state',
    ],
    [
      "another project's image",
      async () => ({ imageId: await anImage(test, { project: await aProject(test), isPublic: false }) }),
      'not_found',
    ],
    ['a disk smaller than the image', async () => ({ rootDiskBytes: (1024 * 1024) / 2 }), 'invalid_request'],
    [
      'a project without quota',
      async () => ({ projectId: (await aProject(test, { vcpuCount: 0 })).id }),
      'quota_exceeded',
    ],
    ['an accelerator nobody has', async () => ({ accelerator: 'kvm' as const }), 'no_capacity'],
    ['a host that is not there', async () => ({ hostId: from.imageId as never }), 'no_capacity'],
    [
      'more memory than any host has',
      async () => ({ flavorId: (await aFlavor(test, { memoryBytes: 2 ** 42 })).id }),
      'no_capacity',
    ],
  ])('refuses %s and changes nothing', async (_, changes, code) => {
    await aHost(test);
    const request = vmRequest(from, await changes());
    await expect(createVm(test.cp, test.admin, request, idempotency('k'))).rejects.toMatchObject({ code });
    await expectNothingChanged();
  });

  it.each([
    ['cordoned', { state: 'cordoned' }],
    ['revoked', { state: 'revoked' }],
    ['unreachable', { connectivity: 'unreachable' }],
    ['without an accelerator', { accelerator: null }],
  ] as const)('places nothing on a host that is %s', async (_, options) => {
    await aHost(test, options);
    await expect(createVm(test.cp, test.admin, vmRequest(from))).rejects.toMatchObject({ code: 'no_capacity' });
    await expectNothingChanged();
  });

  it('lets only admins choose the host', async () => {
    const hostId = (await aHost(test)) as never;
    const operator = await test.actor('operator');
    await expect(createVm(test.cp, operator, vmRequest(from, { hostId }))).rejects.toMatchObject({ code: 'forbidden' });
    await expectNothingChanged();
    await aHost(test);
    const { resourceId } = await createVm(test.cp, test.admin, vmRequest(from, { hostId }));
    expect((await getVm(test.cp, test.admin, resourceId as never)).hostId).toBe(hostId);
  });

  it('explains a refusal with the decision of the scheduler', async () => {
    await aHost(test, { vmCount: 0 });
    const refusal = await createVm(test.cp, test.admin, vmRequest(from)).catch((error: DomainError) => error);
    expect(refusal).toMatchObject({
      code: 'no_capacity',
      details: { placement: { outcome: 'refused', hostCount: 1, needed: { vcpuCount: 1 } } },
    });
  });

  it('does not show the hosts of the site to a token of one project', async () => {
    await aHost(test, { vmCount: 0 });
    const project = await aProject(test);
    const operator = await test.actor('operator', project.id);
    const refusal = await createVm(test.cp, operator, vmRequest(from)).catch((error: DomainError) => error);
    expect(refusal).toMatchObject({ code: 'no_capacity', details: { placement: { hostCount: 1 } } });
    const [host] = await test.sql<{ id: string; name: string }>('SELECT id, name FROM hosts');
    const told = JSON.stringify([(refusal as DomainError).message, (refusal as DomainError).details]);
    expect(told).not.toContain(host?.id);
    expect(told).not.toContain(host?.name);
  });

  it('puts VMs of a project token into its project and refuses others', async () => {
    await aHost(test);
    const project = await aProject(test);
    const operator = await test.actor('operator', project.id);
    const { resourceId } = await createVm(test.cp, operator, vmRequest(from));
    expect((await getVm(test.cp, operator, resourceId as never)).projectId).toBe(project.id);
    const elsewhere = vmRequest(from, { projectId: (await aProject(test)).id as ProjectId });
    await expect(createVm(test.cp, operator, elsewhere)).rejects.toMatchObject({ code: 'not_found' });
  });
});

/** As clients do: who lost several races in a row is told so, and asks again. */
async function createAgainWhileUnavailable(
  cp: ControlPlane,
  request: CreateVmRequest,
  attemptsLeft = 10,
): Promise<AcceptedOperation> {
  try {
    return await createVm(cp, test.admin, request);
  } catch (error) {
    if (codeOf(error) !== 'unavailable' || attemptsLeft === 0) throw error;
    return createAgainWhileUnavailable(cp, request, attemptsLeft - 1);
  }
}

describe('VMs that race', () => {
  it('fill a fleet to the last place and not beyond: 200 creates for 50 places', async () => {
    for (let index = 0; index < 10; index += 1) await aHost(test, { vmCount: 5 });
    const settled = await Promise.allSettled(
      Array.from({ length: 200 }, () => createVm(test.cp, test.admin, vmRequest(from))),
    );
    expect(outcomes(settled)).toEqual({ accepted: 50, no_capacity: 150 });
    const hosts = await test.sql(
      'SELECT DISTINCT reserved_vcpu_count AS vcpus, reserved_memory_bytes = capacity_memory_bytes AS is_full FROM hosts',
    );
    expect(hosts).toEqual([{ vcpus: 5, is_full: true }]);
    expect(await test.sql(EVERYTHING)).toEqual([
      {
        ...NOTHING,
        vms: 50,
        volumes: 50,
        reservations: 50,
        placements: 50,
        operations: 50,
        used_vms: 50,
        reserved_vcpus: 50,
      },
    ]);
  }, 60_000);

  it('never overcommit when several processes place on the same hosts', async () => {
    for (let index = 0; index < 20; index += 1) await aHost(test, { vmCount: 1 });
    const projects = await Promise.all(Array.from({ length: 3 }, () => aProject(test)));
    const processes = [test.cp, test.anotherProcess(), test.anotherProcess()];
    const creates = processes.flatMap((cp, index) =>
      Array.from({ length: 15 }, () =>
        createAgainWhileUnavailable(cp, vmRequest(from, { projectId: projects[index]?.id as ProjectId })),
      ),
    );
    expect(outcomes(await Promise.allSettled(creates))).toEqual({ accepted: 20, no_capacity: 25 });
    expect(await test.sql('SELECT DISTINCT reserved_vcpu_count AS vcpus FROM hosts')).toEqual([{ vcpus: 1 }]);
  }, 60_000);

  it('stop at the quota: 30 creates for a quota of 7', async () => {
    await aHost(test);
    const { id: projectId } = await aProject(test, { vmCount: 7 });
    const settled = await Promise.allSettled(
      Array.from({ length: 30 }, () => createVm(test.cp, test.admin, vmRequest(from, { projectId }))),
    );
    expect(outcomes(settled)).toEqual({ accepted: 7, quota_exceeded: 23 });
    expect(await test.sql('SELECT used_vm_count AS used FROM projects WHERE id = $1', [projectId])).toEqual([
      { used: 7 },
    ]);
    expect(await test.sql('SELECT reserved_vcpu_count AS vcpus FROM hosts')).toEqual([{ vcpus: 7 }]);
  }, 60_000);

  it('share transactions, and a bad one among them fails alone and with its own error', async () => {
    await aHost(test, { vmCount: 100 });
    const small = await aProject(test, { vmCount: 0 });
    await createVm(test.cp, test.admin, vmRequest(from, { name: 'taken' }));
    await createVm(test.cp, test.admin, vmRequest(from, { name: 'first' }), idempotency('key'));
    await test.sql('DELETE FROM events');
    const ends = await Promise.allSettled([
      ...Array.from({ length: 20 }, () => createVm(test.cp, test.admin, vmRequest(from))),
      createVm(test.cp, test.admin, vmRequest(from, { name: 'taken' })),
      createVm(test.cp, test.admin, vmRequest(from, { projectId: small.id })),
      createVm(test.cp, test.admin, vmRequest(from, { name: 'other' }), idempotency('key', 'b')),
    ]);
    expect(outcomes(ends)).toEqual({ accepted: 20, already_exists: 1, quota_exceeded: 1, idempotency_conflict: 1 });
    const [told] = await test.sql<{ events: number; transactions: number }>(
      `SELECT count(*)::int AS events, count(DISTINCT xact_id)::int AS transactions FROM events WHERE type = 'vm.state'`,
    );
    expect(told?.events).toBe(20);
    expect(told?.transactions).toBeLessThan(20);
    const [all] = await test.sql(EVERYTHING);
    expect(all).toMatchObject({ vms: 22, volumes: 22, reservations: 22, placements: 22, operations: 22, keys: 1 });
    expect(all).toMatchObject({ used_vms: 22, reserved_vcpus: 22 });
  });

  it('get a name once', async () => {
    await aHost(test);
    const settled = await Promise.allSettled(
      Array.from({ length: 10 }, () => createVm(test.cp, test.admin, vmRequest(from, { name: 'web' }))),
    );
    expect(outcomes(settled)).toEqual({ accepted: 1, already_exists: 9 });
    expect(await test.sql('SELECT reserved_vcpu_count AS vcpus FROM hosts')).toEqual([{ vcpus: 1 }]);
  });
});

describe('a create with an idempotency key', () => {
  it('is done once, however often and however concurrently it is sent', async () => {
    await aHost(test);
    const request = vmRequest(from, { name: 'web' });
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => createVm(test.cp, test.admin, request, idempotency('k'))),
    );
    expect(new Set(answers.map((answer) => answer.operation.id)).size).toBe(1);
    expect(await test.sql(EVERYTHING)).toMatchObject([{ vms: 1, operations: 1, keys: 1, reserved_vcpus: 1 }]);
    expect(new Set(test.rung).size).toBe(1);
  });

  it('gives the answer it gave even when it would now be refused', async () => {
    await aHost(test, { vmCount: 1 });
    const request = vmRequest(from);
    const first = await createVm(test.cp, test.admin, request, idempotency('k'));
    const again = await createVm(test.cp, test.admin, request, idempotency('k'));
    expect(again).toEqual(first);
  });

  it('refuses the key for another request', async () => {
    await aHost(test);
    await createVm(test.cp, test.admin, vmRequest(from), idempotency('k', 'one'));
    const other = createVm(test.cp, test.admin, vmRequest(from), idempotency('k', 'two'));
    await expect(other).rejects.toMatchObject({ code: 'idempotency_conflict' });
    expect(await test.sql(EVERYTHING)).toMatchObject([{ vms: 1 }]);
  });

  it('may be sent again after a refusal', async () => {
    const hostId = await aHost(test, { vmCount: 0 });
    const request = vmRequest(from);
    await expect(createVm(test.cp, test.admin, request, idempotency('k'))).rejects.toMatchObject({
      code: 'no_capacity',
    });
    await test.sql(
      'UPDATE hosts SET capacity_vcpu_count = 9, capacity_memory_bytes = 2^40, capacity_disk_bytes = 2^40 WHERE id = $1',
      [hostId],
    );
    expect((await createVm(test.cp, test.admin, request, idempotency('k'))).operation.state).toBe('queued');
  });

  it('keeps keys of different tokens apart', async () => {
    await aHost(test);
    const operator = await test.actor('operator');
    const one = await createVm(test.cp, test.admin, vmRequest(from), idempotency('k', 'one'));
    const two = await createVm(test.cp, operator, vmRequest(from), idempotency('k', 'two'));
    expect(two.operation.id).not.toBe(one.operation.id);
  });
});
