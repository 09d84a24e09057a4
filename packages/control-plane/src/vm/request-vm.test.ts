import { createHash } from 'node:crypto';
import { DomainError, nextOnRequest, VM_REQUESTS, VM_STATES, type VmId } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aHost, aProject, aVm, type Ingredients, ingredients } from '../../test/world/fleet-builder.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import { type PowerRequest, requestVm } from './request-vm.js';
import { getVm } from './vms.js';

let test: TestControlPlane;
let from: Ingredients;
beforeAll(async () => {
  test = await openTestControlPlane();
  from = await ingredients(test);
  await aHost(test, { vmCount: 1000 });
});
afterAll(() => test.close());

const ask = (vmId: VmId, request: PowerRequest, options = {}) => requestVm(test.cp, test.admin, vmId, request, options);
const rowOf = async (vmId: VmId) =>
  (await test.sql('SELECT state, generation::int, epoch::int, operation_id FROM vms WHERE id = $1', [vmId]))[0];

describe('a request for a VM', () => {
  const requests = VM_REQUESTS.filter((request) => request !== 'update' && request !== 'move');
  it.each(requests)('%s is accepted, refused or changes nothing as the lifecycle table says', async (request) => {
    for (const state of VM_STATES.filter((candidate) => candidate !== 'deleted')) {
      const { vmId, operationId } = await aVm(test, from, state);
      const before = await rowOf(vmId);
      const answer = await ask(vmId, request).catch((error: DomainError) => error);
      const after = await rowOf(vmId);
      const next = nextOnRequest(state, request);
      const seen =
        answer instanceof DomainError
          ? answer.code
          : { isNew: answer.operation.id !== operationId, kind: answer.operation.kind, ...after };
      if (next === null) {
        expect([state, seen]).toEqual([state, 'conflict_state']);
        expect(after).toEqual(before);
      } else if (next === state) {
        expect([state, seen]).toEqual([state, { isNew: false, kind: 'vm.create', ...before }]);
      } else {
        const epoch = request === 'start' || request === 'reboot' ? 2 : 1;
        const operation = answer instanceof DomainError ? null : answer.operation.id;
        const expected = {
          isNew: true,
          kind: `vm.${request}`,
          state: next,
          generation: 2,
          epoch,
          operation_id: operation,
        };
        expect([state, seen]).toEqual([state, expected]);
      }
    }
  });

  it('says what is possible instead', async () => {
    const { vmId } = await aVm(test, from, 'stopped');
    await expect(ask(vmId, 'pause')).rejects.toMatchObject({
      message: 'pause is not possible while the VM is stopped; possible now: start, stop, update, move, delete',
    });
  });

  it('is accepted once when many ask at the same time', async () => {
    const { vmId } = await aVm(test, from, 'running');
    const answers = await Promise.allSettled(Array.from({ length: 12 }, () => ask(vmId, 'stop')));
    const accepted = answers.filter((answer) => answer.status === 'fulfilled');
    expect(accepted).toHaveLength(1);
    expect(await rowOf(vmId)).toMatchObject({ state: 'stopping', generation: 2 });
    const operations = await test.sql(`SELECT 1 FROM operations WHERE resource_id = $1 AND kind = 'vm.stop'`, [vmId]);
    expect(operations).toHaveLength(1);
  });

  it('honours If-Match on the generation', async () => {
    const { vmId } = await aVm(test, from, 'running');
    await expect(ask(vmId, 'stop', { ifMatch: 7 })).rejects.toMatchObject({ code: 'precondition_failed' });
    expect(await rowOf(vmId)).toMatchObject({ state: 'running', generation: 1 });
    expect((await ask(vmId, 'stop', { ifMatch: 1 })).operation.kind).toBe('vm.stop');
  });

  it('is replayed by its idempotency key, also when it would be refused by now', async () => {
    const { vmId } = await aVm(test, from, 'running');
    const idempotency = { key: `stop ${vmId}`, requestSha256: createHash('sha256').update('stop').digest() };
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask(vmId, 'stop', { idempotency, ifMatch: 1 })));
    expect(new Set(answers.map((answer) => answer.operation.id)).size).toBe(1);
    const other = { key: idempotency.key, requestSha256: createHash('sha256').update('start').digest() };
    await expect(ask(vmId, 'start', { idempotency: other })).rejects.toMatchObject({ code: 'idempotency_conflict' });
  });

  it('leaves its key free when it was refused', async () => {
    const { vmId } = await aVm(test, from, 'stopped');
    const idempotency = { key: `pause ${vmId}`, requestSha256: createHash('sha256').update('pause').digest() };
    await expect(ask(vmId, 'pause', { idempotency })).rejects.toMatchObject({ code: 'conflict_state' });
    await test.sql(`UPDATE vms SET state = 'running' WHERE id = $1`, [vmId]);
    expect((await ask(vmId, 'pause', { idempotency })).operation.kind).toBe('vm.pause');
  });

  it('cannot start a VM that was never created', async () => {
    const { vmId } = await aVm(test, from, 'failed');
    await test.sql('DELETE FROM reservations WHERE vm_id = $1', [vmId]);
    await expect(ask(vmId, 'start')).rejects.toMatchObject({
      code: 'conflict_state',
      message: 'the VM was never created; delete it',
    });
    expect((await ask(vmId, 'delete')).operation.kind).toBe('vm.delete');
  });

  it('gives the guest the time that was asked for', async () => {
    const { vmId } = await aVm(test, from, 'running');
    const { operation } = await ask(vmId, 'stop', { graceMs: 0 });
    const [row] = await test.sql<{ input: object }>('SELECT input FROM operations WHERE id = $1', [operation.id]);
    expect(row?.input).toMatchObject({ vmId, graceMs: 0, generation: 2, epoch: 1 });
  });

  it('is not_found for a VM of another project, and for one that is deleted', async () => {
    const { vmId } = await aVm(test, from, 'running');
    const stranger = await test.actor('operator', (await aProject(test)).id);
    await expect(requestVm(test.cp, stranger, vmId, 'stop')).rejects.toMatchObject({ code: 'not_found' });
    await expect(getVm(test.cp, stranger, vmId)).rejects.toMatchObject({ code: 'not_found' });
    await test.sql(`UPDATE vms SET state = 'deleted', deleted_at = now() WHERE id = $1`, [vmId]);
    await expect(ask(vmId, 'start')).rejects.toMatchObject({ code: 'not_found' });
    expect((await ask(vmId, 'delete')).resourceId).toBe(vmId);
  });
});
