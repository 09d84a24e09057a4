import type { NodeAgentClient } from '@kvorum/schema/agent-wire';
import { progressing, unary } from './agent-call.js';
import type { CallOptions } from './agent-port.js';
import { publishVolume } from './publish-call.js';
import type { PublishWatch } from './publish-watch.js';
import type {
  AgentClone,
  AgentNewVolume,
  AgentSnapshotName,
  AgentSweep,
  AgentVolume,
  AgentVolumeToSnapshot,
  VolumeIntent,
  VolumePort,
} from './volume-port.js';
import { agentSweepOf, agentVolumeOf, toWireNewVolume } from './volume-shapes.js';

/** VolumePort over gRPC. `connect` gives the client of a connection that is trusted now, or throws host_not_trusted. */
export class VolumeCalls implements VolumePort {
  protected readonly connect: () => Promise<NodeAgentClient>;

  constructor(connect: () => Promise<NodeAgentClient>) {
    this.connect = connect;
  }

  async ensureVolume(intent: VolumeIntent, request: AgentNewVolume, options: CallOptions): Promise<AgentVolume> {
    const client = await this.connect();
    const { volume } = await unary(client.ensureVolume.bind(client), toWireNewVolume(intent, request), options);
    return agentVolumeOf(volume, intent.volumeId);
  }

  async growVolume(
    intent: VolumeIntent,
    request: { readonly poolId: string; readonly sizeBytes: number; readonly vmId: string | null },
    options: CallOptions,
  ): Promise<AgentVolume> {
    const client = await this.connect();
    const wire = { ...request, intent: { ...intent }, vmId: request.vmId ?? '' };
    const { volume } = await unary(client.growVolume.bind(client), wire, options);
    return agentVolumeOf(volume, intent.volumeId);
  }

  async cloneVolume(
    intent: VolumeIntent,
    { source, ...request }: AgentClone,
    options: CallOptions & { onProgress?: (fraction: number) => void },
  ): Promise<AgentVolume> {
    const client = await this.connect();
    const names = { sourceVolumeId: source.volumeId, sourceSnapshotId: source.snapshotId };
    const wire = { ...request, ...names, intent: { ...intent } };
    const { volume } = await progressing(client.cloneVolume.bind(client), wire, options, {
      isLast: (message) => message.volume !== undefined,
      hear: ({ doneFraction }) => options.onProgress?.(Math.min(1, Math.max(0, doneFraction))),
    });
    return agentVolumeOf(volume, intent.volumeId);
  }

  async snapshotVolumes(
    volumes: readonly AgentVolumeToSnapshot[],
    { vmId, freezeTimeoutMs }: { readonly vmId: string | null; readonly freezeTimeoutMs: number },
    options: CallOptions,
  ): Promise<{ readonly volumes: readonly AgentVolume[]; readonly wasFrozen: boolean }> {
    const client = await this.connect();
    const wire = { volumes: volumes.map((one) => ({ ...one, intent: { ...one.intent } })), vmId: vmId ?? '' };
    const { volumes: reports, wasFrozen } = await unary(
      client.snapshotVolumes.bind(client),
      { ...wire, freezeTimeoutMs },
      options,
    );
    return { volumes: volumes.map(({ intent }, index) => agentVolumeOf(reports[index], intent.volumeId)), wasFrozen };
  }

  async removeVolumeSnapshot(
    intent: VolumeIntent,
    snapshot: AgentSnapshotName,
    options: CallOptions,
  ): Promise<AgentVolume> {
    const client = await this.connect();
    const wire = { ...snapshot, intent: { ...intent } };
    const { volume } = await unary(client.removeVolumeSnapshot.bind(client), wire, options);
    return agentVolumeOf(volume, intent.volumeId);
  }

  async revertVolume(
    intent: VolumeIntent,
    snapshot: AgentSnapshotName & { readonly revertId: string },
    options: CallOptions,
  ): Promise<AgentVolume> {
    const client = await this.connect();
    const wire = { ...snapshot, intent: { ...intent } };
    const { volume } = await unary(client.revertVolume.bind(client), wire, options);
    return agentVolumeOf(volume, intent.volumeId);
  }

  async removeVolume(intent: VolumeIntent, poolId: string, options: CallOptions): Promise<void> {
    const client = await this.connect();
    await unary(client.removeVolume.bind(client), { intent: { ...intent }, poolId }, options);
  }

  async restoreVolume(intent: VolumeIntent, poolId: string, options: CallOptions): Promise<AgentVolume> {
    const client = await this.connect();
    const { volume } = await unary(client.restoreVolume.bind(client), { intent: { ...intent }, poolId }, options);
    return agentVolumeOf(volume, intent.volumeId);
  }

  async purgeVolume(intent: VolumeIntent, poolId: string, options: CallOptions): Promise<void> {
    const client = await this.connect();
    await unary(client.purgeVolume.bind(client), { intent: { ...intent }, poolId }, options);
  }

  async observeVolume(poolId: string, volumeId: string, options: CallOptions): Promise<AgentVolume | null> {
    const client = await this.connect();
    const { volume } = await unary(client.observeVolume.bind(client), { poolId, volumeId }, options);
    return volume === undefined ? null : agentVolumeOf(volume, volumeId);
  }

  async *publishVolume(
    volume: { readonly poolId: string; readonly volumeId: string },
    options: CallOptions & PublishWatch,
  ): AsyncGenerator<Uint8Array> {
    yield* publishVolume(await this.connect(), { ...volume }, options);
  }

  async sweepPool(
    request: { readonly poolId: string; readonly trashKeepMs: number; readonly orphanAgeMs: number },
    options: CallOptions,
  ): Promise<AgentSweep> {
    const client = await this.connect();
    return agentSweepOf(await unary(client.sweepPool.bind(client), { ...request }, options));
  }

  async removeSetAside(poolId: string, name: string, options: CallOptions): Promise<void> {
    const client = await this.connect();
    await unary(client.removeSetAside.bind(client), { poolId, name }, options);
  }
}
