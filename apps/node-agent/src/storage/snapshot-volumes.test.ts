import { randomUUID } from 'node:crypto';
import type { StoragePool, Turn } from '@kvorum/host-storage';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { FreezeKeeper } from '../guest/freeze-keeper.js';
import type { VmRun } from '../vm/vm-actor.js';
import { snapshotVolumes } from './snapshot-volumes.js';

/** Pools and a VM that write down what is asked of them, in order. */
function aSite(drivers: readonly StoragePool['driver'][]) {
  const heard: string[] = [];
  const volumeIds = drivers.map((): string => randomUUID());
  const pools = new Map<string, StoragePool>();
  for (const driver of new Set(drivers)) {
    const snapshotVolumesOf: StoragePool['snapshotVolumes'] = async ({ volumes, switchLive }) => {
      heard.push(`begin on ${driver}`);
      const turns = volumes.map(({ volumeId }): Turn => {
        const number = volumeIds.indexOf(volumeId);
        if (driver !== 'lvm-thin')
          return { kind: 'overlay', volumeId, basePath: '/a', path: `/b${number}`, layerId: '' };
        return { kind: 'still', volumeId, take: async () => void heard.push(`take ${number}`) };
      });
      await switchLive?.(turns);
      return [];
    };
    pools.set(driver, { driver, snapshotVolumes: snapshotVolumesOf } as Partial<StoragePool> as StoragePool);
  }
  const vm = {
    vmId: randomUUID(),
    switchDisks: async () => void heard.push('switch'),
    holdStill: async (run: () => Promise<unknown>) => {
      heard.push('hold');
      await run();
      heard.push('let go');
    },
  };
  const record = { claims: volumeIds.map((volumeId) => ({ volumeId })), spec: null };
  const run = { live: { vm }, record } as unknown as VmRun;
  const volumes = drivers.map((driver, index) => ({
    pool: pools.get(driver) as StoragePool,
    volumeId: volumeIds[index] as string,
    snapshotId: randomUUID(),
    fence: { generation: 1, operationId: randomUUID() } as never,
  }));
  const freezes = {} as FreezeKeeper;
  const log = pino({ enabled: false });
  return { heard, take: () => snapshotVolumes({ volumes, run, freezeTimeoutMs: 0, freezes, log }) };
}

describe('snapshots of a running VM', () => {
  it.each<[string, StoragePool['driver'][], string[]]>([
    ['of one volume of a thin pool', ['lvm-thin'], ['begin on lvm-thin', 'take 0']],
    [
      'of several volumes of a thin pool',
      ['lvm-thin', 'lvm-thin'],
      ['begin on lvm-thin', 'hold', 'take 0', 'take 1', 'let go'],
    ],
    ['of volumes of folders', ['dir', 'shared-dir'], ['begin on dir', 'begin on shared-dir', 'switch']],
  ])('%s are made by %j', async (_what, drivers, steps) => {
    const { heard, take } = aSite(drivers);
    await take();
    expect(heard).toEqual(steps);
  });

  it('of a thin pool and another pool are refused before anything has begun', async () => {
    const { heard, take } = aSite(['dir', 'lvm-thin']);
    await expect(take()).rejects.toMatchObject({
      code: 'conflict_state',
      message: expect.stringMatching(/stop the VM, or take one pool at a time/),
    });
    expect(heard).toEqual([]);
  });
});
