import type { VolumeFacts } from '@kvorum/host-storage';
import type { PoolReport, VolumeReport } from '@kvorum/schema/agent-wire';
import type { PoolStatus } from './pool-keeper.js';

/** What is true of a volume, in the words of the wire. */
export const toVolumeReport = ({ snapshots, holder, ...facts }: VolumeFacts): VolumeReport => ({
  volumeId: facts.volumeId,
  ownerId: facts.ownerId,
  sizeBytes: facts.sizeBytes,
  allocatedBytes: facts.allocatedBytes,
  state: facts.state,
  chainLength: facts.chainLength,
  snapshots: snapshots.map((snapshot) => ({ ...snapshot })),
  holder: holder === null ? undefined : { ...holder },
});

const NO_AMOUNTS = {
  totalBytes: 0,
  freeBytes: 0,
  provisionedBytes: 0,
  allocatedBytes: 0,
  trashedBytes: 0,
  isAboveHighWater: false,
};

/** protobuf has no null: what is not known is absent, empty or 0. */
export function toPoolReport({ option, poolId, pool, facts, fault }: PoolStatus): PoolReport {
  const isKnown = pool !== null && facts !== null;
  const { volumeCount: _count, ...amounts } = facts ?? { ...NO_AMOUNTS, volumeCount: 0 };
  return {
    name: option.name,
    poolId: poolId ?? '',
    driver: option.driver,
    capabilities: isKnown ? { ...pool.capabilities } : undefined,
    ...amounts,
    fault: fault ?? '',
  };
}
