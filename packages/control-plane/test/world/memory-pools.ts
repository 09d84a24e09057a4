import { DomainError, GIB, newId } from '@kvorum/schema';
import type { AgentDirectory, AgentPort } from '../../src/agents/agent-port.js';
import type { AgentVolume, VolumeIntent, VolumePort } from '../../src/agents/volume-port.js';
import { withTransaction } from '../../src/database/database.js';
import type { AgentPool } from '../../src/host/pool-report.js';
import { writeHostPools } from '../../src/storage-pool/host-pools.store.js';
import { aName } from './fleet-builder.js';
import type { TestControlPlane } from './test-control-plane.js';

interface StoredVolume {
  readonly ownerId: string;
  sizeBytes: number;
  state: AgentVolume['state'];
  content: string;
  readonly snapshots: Map<string, { sizeBytes: number; content: string }>;
}

/** The pools of all hosts as their agents would serve them, in memory: with fences that outlive the volumes. */
export class MemoryPools implements AgentDirectory {
  readonly volumes = new Map<string, StoredVolume>();
  readonly fences = new Map<string, Pick<VolumeIntent, 'generation' | 'fencingToken'>>();
  /** What every call throws; null: they do what they are for. */
  fault: DomainError | null = null;
  /** What a freeze of a guest throws. */
  freezeFault: DomainError | null = null;

  agentOf(): AgentPort {
    return this.#port as AgentPort;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  get(volumeId: string): StoredVolume {
    const volume = this.volumes.get(volumeId);
    if (volume === undefined) throw new DomainError('not_found', `the pool has no volume ${volumeId}`);
    return volume;
  }

  #take({ volumeId, generation, fencingToken }: VolumeIntent): string {
    if (this.fault !== null) throw this.fault;
    const seen = this.fences.get(volumeId) ?? { generation: 0, fencingToken: 0 };
    const isOlder =
      generation < seen.generation || (generation === seen.generation && fencingToken < seen.fencingToken);
    if (isOlder) throw new DomainError('stale_generation', `volume ${volumeId} has seen generation ${seen.generation}`);
    this.fences.set(volumeId, { generation, fencingToken });
    return volumeId;
  }

  #ready(volumeId: string): StoredVolume {
    const volume = this.get(volumeId);
    if (volume.state !== 'ready') throw new DomainError('conflict_state', `volume ${volumeId} is ${volume.state}`);
    return volume;
  }

  #report(volumeId: string): AgentVolume {
    const { ownerId, sizeBytes, state, snapshots } = this.get(volumeId);
    const list = [...snapshots].map(([id, snapshot]) => ({ id, sizeBytes: snapshot.sizeBytes, createdAtMs: 1 }));
    return { volumeId, ownerId, sizeBytes, allocatedBytes: 0, state, chainLength: 1, snapshots: list, holder: null };
  }

  readonly #port: VolumePort & Pick<AgentPort, 'ensureImage'> = {
    ensureImage: () => Promise.resolve(),
    ensureVolume: async (intent, { ownerId, sizeBytes, image }) => {
      const id = this.#take(intent);
      if (!this.volumes.has(id)) {
        const content = image === null ? '' : `image ${image.imageId}`;
        this.volumes.set(id, { ownerId, sizeBytes, state: 'ready', content, snapshots: new Map() });
      }
      return this.#report(id);
    },
    growVolume: async (intent, { sizeBytes }) => {
      const id = this.#take(intent);
      const volume = this.#ready(id);
      if (sizeBytes < volume.sizeBytes) throw new DomainError('invalid_request', 'sizeBytes is below what it has');
      volume.sizeBytes = sizeBytes;
      return this.#report(id);
    },
    cloneVolume: async (intent, { ownerId, source, isLinked }, { onProgress }) => {
      const id = this.#take(intent);
      const snapshot = this.get(source.volumeId).snapshots.get(source.snapshotId);
      if (snapshot === undefined) throw new DomainError('not_found', 'there is no such snapshot');
      if (!isLinked) onProgress?.(0.5);
      if (!this.volumes.has(id)) {
        this.volumes.set(id, { ownerId, ...snapshot, state: 'ready', snapshots: new Map() });
      }
      return this.#report(id);
    },
    snapshotVolumes: async (volumes, { vmId, freezeTimeoutMs }) => {
      const ids = volumes.map(({ intent }) => this.#take(intent));
      if (freezeTimeoutMs > 0 && this.freezeFault !== null) throw this.freezeFault;
      for (const { intent, snapshotId } of volumes) {
        const { snapshots, sizeBytes, content } = this.#ready(intent.volumeId);
        if (!snapshots.has(snapshotId)) snapshots.set(snapshotId, { sizeBytes, content });
      }
      return { volumes: ids.map((id) => this.#report(id)), wasFrozen: vmId !== null && freezeTimeoutMs > 0 };
    },
    removeVolumeSnapshot: async (intent, { snapshotId }) => {
      const id = this.#take(intent);
      this.get(id).snapshots.delete(snapshotId);
      return this.#report(id);
    },
    revertVolume: async (intent, { snapshotId }) => {
      const id = this.#take(intent);
      const volume = this.#ready(id);
      const snapshot = volume.snapshots.get(snapshotId);
      if (snapshot === undefined) throw new DomainError('not_found', 'there is no such snapshot');
      Object.assign(volume, snapshot);
      return this.#report(id);
    },
    removeVolume: async (intent) => {
      const volume = this.volumes.get(this.#take(intent));
      if (volume !== undefined) volume.state = 'trashed';
    },
    restoreVolume: async (intent) => {
      const id = this.#take(intent);
      this.get(id).state = 'ready';
      return this.#report(id);
    },
    purgeVolume: async (intent) => {
      const id = this.#take(intent);
      const volume = this.volumes.get(id);
      if (volume === undefined) return;
      if (volume.state !== 'trashed') throw new DomainError('conflict_state', 'it is not in the trash');
      this.volumes.delete(id);
    },
    observeVolume: async (_poolId, volumeId) => (this.volumes.has(volumeId) ? this.#report(volumeId) : null),
    publishVolume: () => {
      throw new DomainError('conflict_state', 'what is in memory is no qcow2 file');
    },
    sweepPool: async () => ({ purgedVolumeIds: [], quarantined: [], faults: [], setAside: [] }),
    removeSetAside: async () => undefined,
  };
}

export interface PoolOptions {
  readonly totalBytes?: number;
  readonly isAboveHighWater?: boolean;
  readonly driver?: AgentPool['driver'];
  readonly fault?: string;
}

/** As a host's agent reports it. */
export function aPoolReport(options: PoolOptions = {}, poolId = newId(), name = aName('pool')): AgentPool {
  const { totalBytes = 100 * GIB, isAboveHighWater = false, driver = 'dir', fault = null } = options;
  const can = { hasSnapshots: true, hasLinkedClones: true, isThin: true, growsOnline: true, hasReflink: false };
  const facts = {
    capabilities: { isShared: driver === 'shared-dir', ...can },
    totalBytes,
    freeBytes: totalBytes / 2,
    provisionedBytes: 0,
    allocatedBytes: 0,
    trashedBytes: 0,
    isAboveHighWater,
  };
  return { name, poolId, driver, facts: fault === null ? facts : null, fault };
}

/** What the host says of all its pools. */
export const reportPools = (test: TestControlPlane, hostId: string, pools: readonly AgentPool[]): Promise<string[]> =>
  withTransaction(test.cp.database, (tx) => writeHostPools(tx, hostId, pools));
