import path from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { guestImage } from '../support/guest-images.js';
import { startRedis } from '../support/redis.js';
import { type Child, startChild } from './child-process.js';
import { eventually } from './eventually.js';
import { leftovers, qemuPids } from './leftovers.js';
import { operationEnd, type Site, startSite } from './site.js';

const DYING_WORKER = path.resolve(import.meta.dirname, 'dying-worker.mjs');
const OPERATION_MS_MAX = 90_000;

const CREATE_STEPS = ['ensure-image', 'ensure-disk', 'ensure-vm'];
const DELETE_STEPS = ['remove-vm'];
/** With Redis only what the bell can make a difference to: the interrupted step is found and run again. */
const POINTS = { PostgreSQL: ['beforeStep', 'afterRun'], Redis: ['afterRun'] };

/**
 * Every point of creating and deleting a VM at which a worker can die, with the bell on one backend. Most of the time goes into
 * waiting for leases to run out, so the files of the two backends, each with a site of its own, run side by side.
 */
export function killEverywhere(backend: keyof typeof POINTS): void {
  describe(`a worker killed with -9, bell on ${backend}`, () => {
    let redis: { url: string; stop: () => Promise<void> } | null = null;
    let site: Site;
    let imageId: string;
    let flavorId: string;
    let workers: Child[] = [];
    let nextName = 0;

    const startWorkerThatDies = async (step: string, point: string) => {
      const worker = await startChild(DYING_WORKER, {
        args: [step, point],
        env: {
          ...site.environment,
          TEST_GATEWAY_ADDRESS: String(site.control.ready['gateway']),
          TEST_ENROL_ADDRESS: String(site.control.ready['enrol']),
        },
        logPath: path.join(site.folder, 'worker.log'),
        event: 'working',
      });
      workers.push(worker);
      return worker;
    };
    const newVm = () => {
      nextName += 1;
      return site.createVm({ name: `vm-${nextName}`, imageId, flavorId });
    };
    const deleteVm = async (vmId: string) => {
      const answer = await site.rest.expect(202, 'DELETE', `/v1/vms/${vmId}`);
      return (answer.body['operation'] as { id: string }).id;
    };
    const runningProcesses = () => site.hosts.flatMap((host) => qemuPids(host));

    beforeAll(async () => {
      redis = backend === 'Redis' ? await startRedis() : null;
      site = await startSite({
        hostNames: ['host-a'],
        roles: 'api,reconciler',
        ...(redis === null ? {} : { redisUrl: redis.url }),
      });
      imageId = await site.uploadImage('boot-sector', (await guestImage('boot-sector')).path);
      flavorId = await site.createFlavor('tiny', 32, 1);
    }, 120_000);
    afterEach(async () => {
      for (const worker of workers) await worker.stop();
      workers = [];
    });
    afterAll(async () => {
      await site?.close();
      await redis?.stop();
    });

    test.each(CREATE_STEPS.flatMap((step) => POINTS[backend].map((point) => [step, point])))(
      'creating: at step %s, %s',
      { timeout: OPERATION_MS_MAX },
      async (step, point) => {
        const first = await startWorkerThatDies(`vm.create/${step}`, point);
        const { vmId, operationId } = await newVm();
        await first.ended;
        await startWorkerThatDies('nowhere', 'never');
        expect(await operationEnd(site.rest, operationId, OPERATION_MS_MAX)).toMatchObject({ state: 'succeeded' });
        expect((await site.rest.expect(200, 'GET', `/v1/vms/${vmId}`)).body).toMatchObject({
          state: 'running',
          epoch: 1,
        });
        expect(runningProcesses()).toHaveLength(1);
        expect(await operationEnd(site.rest, await deleteVm(vmId), OPERATION_MS_MAX)).toMatchObject({
          state: 'succeeded',
        });
        expect(await leftovers(site)).toEqual([]);
      },
    );

    test.each(DELETE_STEPS.flatMap((step) => POINTS[backend].map((point) => [step, point])))(
      'deleting: at step %s, %s',
      { timeout: OPERATION_MS_MAX },
      async (step, point) => {
        const first = await startWorkerThatDies(`vm.delete/${step}`, point);
        const { vmId, operationId } = await newVm();
        expect(await operationEnd(site.rest, operationId, OPERATION_MS_MAX)).toMatchObject({ state: 'succeeded' });
        const deletion = await deleteVm(vmId);
        await first.ended;
        await startWorkerThatDies('nowhere', 'never');
        expect(await operationEnd(site.rest, deletion, OPERATION_MS_MAX)).toMatchObject({ state: 'succeeded' });
        expect(await leftovers(site)).toEqual([]);
      },
    );

    test.each(['beforeUndo', 'afterUndo'])(
      'unwinding a cancelled create: %s',
      { timeout: OPERATION_MS_MAX },
      async (point) => {
        // The first worker dies with the disk made; cancelling then unwinds, and a second worker dies while undoing.
        const first = await startWorkerThatDies('vm.create/ensure-vm', 'beforeStep');
        const { vmId, operationId } = await newVm();
        await first.ended;
        await site.rest.expect(200, 'POST', `/v1/operations/${operationId}/cancel`);
        const second = await startWorkerThatDies('vm.create/ensure-disk', point);
        await second.ended;
        await startWorkerThatDies('nowhere', 'never');
        expect(await operationEnd(site.rest, operationId, OPERATION_MS_MAX)).toMatchObject({ state: 'cancelled' });
        expect((await site.rest.expect(200, 'GET', `/v1/vms/${vmId}`)).body).toMatchObject({ state: 'failed' });
        expect(await leftovers(site)).toEqual([]);
        await operationEnd(site.rest, await deleteVm(vmId), OPERATION_MS_MAX);
      },
    );

    test.runIf(backend === 'Redis')(
      'Redis emptied in the middle of an operation',
      { timeout: OPERATION_MS_MAX },
      async () => {
        const connection = new Redis(redis!.url);
        const first = await startWorkerThatDies('vm.create/ensure-disk', 'afterRun');
        const { vmId, operationId } = await newVm();
        await first.ended;
        await connection.flushall();
        await startWorkerThatDies('nowhere', 'never');
        const emptying = setInterval(() => void connection.flushall(), 100);
        try {
          expect(await operationEnd(site.rest, operationId, OPERATION_MS_MAX)).toMatchObject({ state: 'succeeded' });
        } finally {
          clearInterval(emptying);
          await connection.quit();
        }
        expect(runningProcesses()).toHaveLength(1);
        await operationEnd(site.rest, await deleteVm(vmId), OPERATION_MS_MAX);
        expect(await leftovers(site)).toEqual([]);
      },
    );

    test('two workers at once run no VM twice', { timeout: OPERATION_MS_MAX }, async () => {
      await startWorkerThatDies('nowhere', 'never');
      await startWorkerThatDies('nowhere', 'never');
      const created = await Promise.all([newVm(), newVm(), newVm(), newVm()]);
      for (const { operationId } of created) {
        expect(await operationEnd(site.rest, operationId, OPERATION_MS_MAX)).toMatchObject({ state: 'succeeded' });
      }
      await eventually('four processes run', 10_000, () => runningProcesses().length === 4);
      for (const { vmId } of created) {
        await operationEnd(site.rest, await deleteVm(vmId), OPERATION_MS_MAX);
      }
      expect(await leftovers(site)).toEqual([]);
    });
  });
}
