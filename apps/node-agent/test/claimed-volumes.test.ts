import { existsSync, statSync } from 'node:fs';
import { newId, PLAIN_HARDWARE, VmDevices } from '@kvorum/schema';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Intent, WantedPower } from '../src/vm/vm-actor-rules.js';
import type { VmRecord, VmSpec } from '../src/vm/vm-record.js';
import { MortalHost } from './mortal-host.js';
import { MIB } from './simulated-host.js';

const VM = newId<VmRecord['vmId']>();
const [ROOT, DATA] = [newId<VmSpec['rootVolumeId']>(), newId<VmSpec['rootVolumeId']>()];
const POOL_ID = newId();
const RUNNING: WantedPower = { power: 'running', reset: false };
const STOPPED: WantedPower = { power: 'stopped', graceMs: 0 };
/** More than any of the verbs takes; that each dies at its last is asserted. */
const STEPS_MAX = 40;

const intent = (generation: number, epoch: number): Intent => ({
  vmId: VM,
  generation,
  fencingToken: 1,
  epoch,
  operationId: newId(),
});
/** With the data disk or without. */
function spec(claimEpoch: number, hasData = true): VmSpec {
  const disks = hasData ? [{ id: DATA, sizeBytes: 16 * MIB, slot: 1 }] : [];
  return {
    name: 'web',
    vcpuCount: 1,
    memoryBytes: 64 * MIB,
    accelerator: 'tcg',
    balloon: null,
    hardware: { ...PLAIN_HARDWARE, devices: VmDevices.parse({ dataDisks: disks }) },
    cloudInit: null,
    templateId: null,
    rootVolumeId: ROOT,
    pooledVolumes: [ROOT, ...disks.map(({ id }) => id)].map((volumeId) => ({ volumeId, poolId: POOL_ID, claimEpoch })),
  };
}

let host: MortalHost;
beforeEach(async () => {
  host = await MortalHost.create(VM);
  host.machine.poolsArePresent = true;
  await host.start();
});
afterEach(() => host.remove());

/** Repeats the request of an agent that dies after 0, 1, 2, ... steps, with agents that live. */
async function dyingAtEachStep(run: (steps: number) => Promise<'killed' | unknown>): Promise<void> {
  for (let steps = 0; steps < STEPS_MAX; steps += 1) if ((await run(steps)) !== 'killed') return;
  throw new RangeError('the verb takes more steps than were tried');
}

describe('a VM all of whose disks lie on pools', () => {
  it('has its seed disk on its host, and leaves no folder behind', async () => {
    const cloudInit = { instanceId: newId(), hostname: 'web', sshAuthorizedKeys: [], userData: null };
    await host.actor.ensureVm(intent(1, 1), { ...spec(1), cloudInit }, RUNNING);
    const [process] = host.machine.processes.values();
    const seedPath = host.folders.seedOf(VM);
    expect(process?.launch.seedPath).toBe(seedPath);
    expect(existsSync(seedPath)).toBe(true);
    // Its process has its working folder on the pool, and may open the one file.
    expect(statSync(host.folders.disksOf(VM)).mode & 0o777).toBe(0o711);
    expect(statSync(seedPath).mode & 0o777).toBe(0o600);
    await host.actor.removeVm(intent(2, 1));
    expect(existsSync(host.folders.disksOf(VM))).toBe(false);
  });
});

describe('the volumes of a VM, wherever its agent dies', () => {
  it('are claimed before its process has them, and released when it is gone', async () => {
    let generation = 0;
    await dyingAtEachStep(async (steps) => {
      generation += 2;
      const [epoch, wanted] = [generation, intent(generation, generation)];
      const outcome = await host.within(steps, (actor) => actor.ensureVm(wanted, spec(epoch), RUNNING));
      for (const { launch } of host.machine.processes.values()) {
        expect(host.claims, `${steps} steps, epoch ${launch.epoch}`).toEqual(
          new Map([
            [ROOT, epoch],
            [DATA, epoch],
          ]),
        );
      }
      await host.actor.ensureVm(intent(generation + 1, epoch), spec(epoch), STOPPED);
      expect(host.machine.processes.size).toBe(0);
      expect(host.claims, `${steps} steps`).toEqual(new Map());
      return outcome;
    });
  });

  it('are released by whoever finishes a stop', async () => {
    let generation = 0;
    await dyingAtEachStep(async (steps) => {
      generation += 2;
      await host.actor.ensureVm(intent(generation, generation), spec(generation), RUNNING);
      const stop = intent(generation + 1, generation);
      const outcome = await host.within(steps, (actor) => actor.ensureVm(stop, spec(generation), STOPPED));
      await host.actor.ensureVm(stop, spec(generation), STOPPED);
      expect(host.claims, `${steps} steps`).toEqual(new Map());
      return outcome;
    });
  });

  it('are those that it has when one is unplugged', async () => {
    let generation = 0;
    await dyingAtEachStep(async (steps) => {
      generation += 3;
      await host.actor.ensureVm(intent(generation, generation), spec(generation), RUNNING);
      const change = intent(generation + 1, generation);
      const outcome = await host.within(steps, (actor) => actor.ensureVm(change, spec(generation, false), RUNNING));
      await host.actor.ensureVm(change, spec(generation, false), RUNNING);
      expect([...host.claims.keys()], `${steps} steps`).toEqual([ROOT]);
      await host.actor.ensureVm(intent(generation + 2, generation), spec(generation, false), STOPPED);
      return outcome;
    });
  });
});
