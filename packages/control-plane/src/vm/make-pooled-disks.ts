import type { AgentPort } from '../agents/agent-port.js';
import type { VolumeIntent } from '../agents/volume-port.js';
import type { StepContext } from '../operations/define-operation.js';
import type { NeededImage } from './media-of-drives.js';
import { callOptions, HOST_CALL_MS, MINUTE_MS, type PooledVolumeOfVm, type VmServices } from './vm-operation.js';

type Context = StepContext<unknown, unknown, VmServices>;

const intentOf = (
  { operationId, fencingToken }: Context,
  { volumeId, generation }: PooledVolumeOfVm,
): VolumeIntent => ({
  ...{ volumeId, generation, fencingToken, operationId },
});

/** The first volume of an image has the pool copy all of it: as long as a creation may take. */
const IMAGE_CALL_MS = 30 * MINUTE_MS;

/** The root disk from its image; others empty. */
export async function makePooledDisks(
  context: Context,
  agent: AgentPort,
  vm: { readonly projectId: string; readonly rootVolumeId: string; readonly image?: NeededImage },
  volumes: readonly PooledVolumeOfVm[],
): Promise<void> {
  for (const volume of volumes) {
    const { poolId, sizeBytes } = volume;
    const image = volume.volumeId === vm.rootVolumeId ? (vm.image ?? null) : null;
    const request = { poolId, ownerId: vm.projectId, sizeBytes, image };
    const timeoutMs = image === null ? HOST_CALL_MS : IMAGE_CALL_MS;
    await agent.ensureVolume(intentOf(context, volume), request, callOptions(context, timeoutMs));
  }
}

/** Not by way of the trash that people see: nobody was told of them. */
export async function unmakePooledDisks(
  context: Context,
  agent: AgentPort,
  volumes: readonly PooledVolumeOfVm[],
): Promise<void> {
  for (const volume of volumes) {
    await agent.removeVolume(intentOf(context, volume), volume.poolId, callOptions(context, HOST_CALL_MS));
    await agent.purgeVolume(intentOf(context, volume), volume.poolId, callOptions(context, HOST_CALL_MS));
  }
}

/** Those that go with their VM. */
export async function trashPooledDisks(
  context: Context,
  agent: AgentPort,
  volumes: readonly PooledVolumeOfVm[],
): Promise<void> {
  for (const volume of volumes.filter(({ goesWithVm }) => goesWithVm)) {
    await agent.removeVolume(intentOf(context, volume), volume.poolId, callOptions(context, HOST_CALL_MS));
  }
}

/** `isOpen`: the VM runs, and its process grows them. */
export async function growPooledDisks(
  context: Context,
  agent: AgentPort,
  vm: { readonly vmId: string; readonly isOpen: boolean },
  volumes: readonly PooledVolumeOfVm[],
): Promise<void> {
  for (const volume of volumes) {
    const { poolId, sizeBytes } = volume;
    const request = { poolId, sizeBytes, vmId: vm.isOpen ? vm.vmId : null };
    await agent.growVolume(intentOf(context, volume), request, callOptions(context, HOST_CALL_MS));
  }
}
