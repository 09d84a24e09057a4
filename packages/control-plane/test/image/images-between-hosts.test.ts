import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostId, OperationId } from '@kvorum/schema';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AnyDefinition } from '../../src/operations/operation-run.js';
import { createVm } from '../../src/vm/create-vm.js';
import { operationDefinitions, type WorkerServices } from '../../src/vm/operation-definitions.js';
import { makeWorker, workToEnd } from '../operation-harness.js';
import { vmRequest } from '../world/fleet-builder.js';
import { openSimulatedFleet, type SimulatedFleet } from '../world/simulated-fleet.js';

let fleet: SimulatedFleet;
beforeEach(async () => {
  fleet = await openSimulatedFleet({ hostCount: 2, vmsPerHost: 5 });
});
afterEach(() => fleet.close());

const createOn = async (hostId: string) => {
  const { cp, admin } = fleet.test;
  const { operation } = await createVm(cp, admin, vmRequest(fleet, { hostId: hostId as HostId }));
  const worker = makeWorker(cp.database, operationDefinitions.get('vm.create') as AnyDefinition<WorkerServices>, cp);
  try {
    return await workToEnd(cp.database, worker, operation.id as OperationId);
  } finally {
    worker.die();
  }
};
const hostId = (index: number): string => fleet.hosts[index]?.hostId ?? '';
/** What the control plane has of the image's content. */
const forgetContent = () => rm(join(fleet.test.dataDir, 'images'), { recursive: true });

describe('an image that a host needs', () => {
  it('comes from a host that has it, without the control plane', async () => {
    expect(await createOn(hostId(0))).toMatchObject({ state: 'succeeded' });
    await forgetContent();
    expect(await createOn(hostId(1))).toMatchObject({ state: 'succeeded' });
  });

  it('comes from the control plane when the host that had it does not answer', async () => {
    expect(await createOn(hostId(0))).toMatchObject({ state: 'succeeded' });
    await fleet.hosts[0]?.silence();
    expect(await createOn(hostId(1))).toMatchObject({ state: 'succeeded' });
  });

  it('comes from the control plane when the host that had it gives another content', async () => {
    expect(await createOn(hostId(0))).toMatchObject({ state: 'succeeded' });
    await fleet.hosts[0]?.spoilImages();
    expect(await createOn(hostId(1))).toMatchObject({ state: 'succeeded' });
  });
});
