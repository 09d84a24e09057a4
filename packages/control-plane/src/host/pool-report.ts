import { ResourceName, StoragePoolDriver } from '@kvorum/schema';
import type { PoolReport } from '@kvorum/schema/agent-wire';
import { z } from 'zod';
import { cleanLine } from '../plain-text.js';

/** A host has a handful of file systems for VMs. */
const POOL_COUNT_MAX = 64;
const FAULT_LENGTH_MAX = 500;

const Bytes = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/** What a host says of a storage pool that its operator gave it. */
const AgentPool = z.object({
  name: ResourceName,
  /** Null: not known, as the pool could not be opened since the agent was started. */
  poolId: z.uuid().nullable(),
  driver: StoragePoolDriver,
  /** Null: it is not open; then nothing else is known of it either. */
  facts: z
    .object({
      capabilities: z.object({
        isShared: z.boolean(),
        hasSnapshots: z.boolean(),
        hasLinkedClones: z.boolean(),
        isThin: z.boolean(),
        growsOnline: z.boolean(),
        hasReflink: z.boolean(),
      }),
      totalBytes: Bytes,
      freeBytes: Bytes,
      /** Sum of the sizes of its volumes. */
      provisionedBytes: Bytes,
      allocatedBytes: Bytes,
      trashedBytes: Bytes,
      isAboveHighWater: z.boolean(),
    })
    .nullable(),
  /** Why it cannot be used. */
  fault: z.string().nullable(),
});
export type AgentPool = z.infer<typeof AgentPool>;

const hasNoneTwice = (values: readonly (string | null)[]): boolean => {
  const known = values.filter((value) => value !== null);
  return new Set(known).size === known.length;
};

export const AgentPools = z
  .array(AgentPool)
  .max(POOL_COUNT_MAX)
  .refine((pools) => hasNoneTwice(pools.map(({ name }) => name)), { error: 'name a pool twice' })
  .refine((pools) => hasNoneTwice(pools.map(({ poolId }) => poolId)), { error: 'hold a pool twice' });

/** protobuf has no null: what is not known is absent, empty or 0. Not checked yet. */
export const agentPoolOf = ({ name, poolId, driver, capabilities, fault, ...amounts }: PoolReport): unknown => ({
  name,
  poolId: poolId === '' ? null : poolId,
  driver,
  facts: capabilities === undefined ? null : { ...amounts, capabilities },
  fault: fault === '' ? null : cleanLine(fault, FAULT_LENGTH_MAX),
});
