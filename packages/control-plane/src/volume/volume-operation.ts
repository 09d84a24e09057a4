import { DomainError } from '@kvorum/schema';
import { z } from 'zod';
import type { AgentPort, CallOptions } from '../agents/agent-port.js';
import type { VolumeIntent } from '../agents/volume-port.js';
import type { ControlPlane } from '../control-plane.js';
import { defineOperation, type StepContext } from '../operations/define-operation.js';
import { findHostOfPool } from '../storage-pool/storage-pool.store.js';

/** What steps on volumes work with. */
export type VolumeServices = Pick<ControlPlane, 'database' | 'agents'>;

export const defineVolumeOperation = defineOperation<VolumeServices>();

/** A volume as its operation was asked for it. */
export const VolumeTarget = z.object({
  volumeId: z.uuid(),
  poolId: z.uuid(),
  projectId: z.uuid(),
  name: z.string(),
  /** Of this intent. */
  generation: z.int(),
});
export type VolumeTarget = z.infer<typeof VolumeTarget>;

const MINUTE_MS = 60_000;
/** A file or a record is written; a layer is merged, which may take a while. */
export const VOLUME_CALL_MS = 5 * MINUTE_MS;
export const VOLUME_DEADLINE_MS = 15 * MINUTE_MS;
export const VOLUME_UNWIND_MS = 10 * MINUTE_MS;

export type VolumeContext = StepContext<unknown, unknown, VolumeServices>;

export const volumeIntentOf = (
  { operationId, fencingToken }: Pick<VolumeContext, 'operationId' | 'fencingToken'>,
  { volumeId, generation }: Pick<VolumeTarget, 'volumeId' | 'generation'>,
): VolumeIntent => ({ volumeId, generation, fencingToken, operationId });

/** A call never outlives its step. */
export const volumeCallOptions = (context: VolumeContext, timeoutMs = VOLUME_CALL_MS): CallOptions => ({
  timeoutMs: Math.max(1, Math.min(timeoutMs, context.remainingMs())),
  signal: context.signal,
});

/**
 * The agent of a host that can use the pool now. Looked up at each attempt: which host writes does not matter, as the pool itself
 * refuses late requests. Throws host_unreachable, and the step is tried again, as long as there is none.
 */
export async function agentOfPool(
  services: VolumeServices,
  poolId: string,
  preferredHostId: string | null = null,
): Promise<AgentPort> {
  const host = await findHostOfPool(services.database, poolId, preferredHostId);
  if (host !== null) return services.agents.agentOf(host);
  throw new DomainError('host_unreachable', `no host that can use storage pool ${poolId} is connected`);
}
