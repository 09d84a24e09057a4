import { DomainError } from '@kvorum/schema';
import type { GuestMemoryStats } from '../driver.js';
import { BALLOON_ID } from './build-arguments.js';
import type { Ask } from './devices/machine-change.js';
import { assertStatsInterval } from './stats-interval.js';

/** Where QEMU keeps the device that build-arguments.ts calls `balloon`. */
const BALLOON_PATH = `/machine/peripheral/${BALLOON_ID}`;

/** QEMU's balloon counts what the VM was started with, `bootMemoryBytes`: memory that was added comes and goes by itself. */
export async function setBalloon(ask: Ask, bootMemoryBytes: number, targetBytes: number): Promise<number> {
  const hotBytes = await queryHotMemory(ask);
  const memoryBytes = bootMemoryBytes + hotBytes;
  const isWithin = Number.isSafeInteger(targetBytes) && targetBytes > 0 && targetBytes <= memoryBytes;
  if (!isWithin) {
    const message = `is not within 1 to the VM's memory of ${memoryBytes} bytes`;
    throw new DomainError('invalid_request', `targetBytes ${message}`, {
      details: { fields: [{ field: 'targetBytes', message }] },
    });
  }
  await ask('balloon', { value: Math.max(1, targetBytes - hotBytes) });
  return queryBalloon(ask);
}

/** All the memory that the guest has now. */
export const queryBalloon = async (ask: Ask): Promise<number> =>
  (await ask('query-balloon')).actualBytes + (await queryHotMemory(ask));

const queryHotMemory = async (ask: Ask): Promise<number> =>
  (await ask('query-memory-devices')).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

export async function pollMemoryStats(ask: Ask, intervalS: number): Promise<void> {
  assertStatsInterval(intervalS);
  await ask('qom-set', { path: BALLOON_PATH, property: 'guest-stats-polling-interval', value: intervalS });
}

export const queryMemoryStats = async (ask: Ask): Promise<GuestMemoryStats | null> =>
  (await ask('qom-get', { path: BALLOON_PATH, property: 'guest-stats' })).stats;
