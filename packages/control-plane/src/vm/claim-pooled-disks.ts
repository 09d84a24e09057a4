import { type DataDisk, DomainError, type Volume } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import { findPool, findPoolsOutOfReach } from '../storage-pool/storage-pool.store.js';
import { takeRoomOfPools } from '../storage-pool/storage-pools.js';
import { notFound } from '../token/project-scope.js';
import { insertVolumes } from '../volume/volume.store.js';
import { requireVolumeCount } from '../volume/volume-room.js';
import { refusalOf } from './assign-devices.js';
import { attachVolumes, type FoundVolume, findAttachable } from './pooled-disk.store.js';
import { type AttachedVolume, type PooledDisk, volumeNameOf } from './pooled-disks.js';

const FIELD = 'body.hardware.devices';

interface DisksQuestion {
  readonly projectId: string;
  readonly wanted: { readonly rootDisk: { readonly poolId: string | null }; readonly dataDisks: readonly DataDisk[] };
  /** Disks that the VM has, or is to have. */
  readonly knownIds: ReadonlySet<string>;
}

export interface AttachedDisks {
  readonly dataDisks: DataDisk[];
  readonly attached: AttachedVolume[];
}

/**
 * The data disks with what is known of volumes that are to become some. Nothing is held: `attachVolumes` looks again. Throws not_found,
 * invalid_request, in_use and conflict_state that name the disk.
 */
export async function withAttachedVolumes(
  database: Database | Tx,
  { projectId, wanted, knownIds }: DisksQuestion,
): Promise<AttachedDisks> {
  const foreign = wanted.dataDisks.flatMap(({ id }) => (id === null || knownIds.has(id) ? [] : [id]));
  const found = foreign.length === 0 ? new Map<string, FoundVolume>() : await findAttachable(database, foreign);
  const attached: AttachedVolume[] = [];
  const dataDisks = wanted.dataDisks.map((disk, index) => {
    // Of an id that no volume has, assignDevices says that it is no disk of the VM.
    const volume = disk.id === null ? undefined : found.get(disk.id);
    if (volume === undefined || volume.projectId !== projectId) return disk;
    requireAttachable(volume, disk, `${FIELD}.dataDisks[${index}]`);
    attached.push(volume);
    return { ...disk, poolId: volume.poolId as DataDisk['poolId'] };
  });
  await requirePools(database, wanted);
  return { dataDisks, attached };
}

function requireAttachable(volume: FoundVolume, disk: DataDisk, field: string): void {
  if (volume.vmId !== null) {
    const message = `is in use by VM ${volume.vmId}; detach it there first`;
    throw new DomainError('in_use', `volume ${volume.name} ${message}`, {
      details: { vmId: volume.vmId, fields: [{ field: `${field}.id`, message }] },
    });
  }
  if (volume.state !== 'available') {
    throw new DomainError(
      'conflict_state',
      `volume ${volume.name} is ${volume.state}; it can be attached once it is available`,
      {
        details: { fields: [{ field: `${field}.id`, message: `is ${volume.state}` }] },
      },
    );
  }
  if (disk.sizeBytes !== volume.sizeBytes)
    throw refusalOf(`${field}.sizeBytes`, `is not that of the volume, ${volume.sizeBytes}`);
  if (disk.poolId !== null && disk.poolId !== volume.poolId) {
    throw refusalOf(`${field}.poolId`, `is not that of the volume, ${volume.poolId}; leave it out`);
  }
}

async function requirePools(database: Database | Tx, { rootDisk, dataDisks }: DisksQuestion['wanted']): Promise<void> {
  const named = [
    { field: `${FIELD}.rootDisk.poolId`, poolId: rootDisk.poolId },
    ...dataDisks.map(({ poolId }, index) => ({ field: `${FIELD}.dataDisks[${index}].poolId`, poolId })),
  ];
  const known = new Set<string>();
  for (const { field, poolId } of named) {
    if (poolId === null || known.has(poolId)) continue;
    if ((await findPool(database, poolId)) === null) throw notFound('the storage pool', field);
    known.add(poolId);
  }
}

/** A VM stays on its host: a disk on a pool which that does not reach cannot be one of it. Throws conflict_state. */
export async function requireHostReaches(tx: Tx, hostId: string, poolIds: readonly string[]): Promise<void> {
  if (poolIds.length === 0) return;
  const missing = await findPoolsOutOfReach(tx, hostId, poolIds);
  if (missing.length === 0) return;
  const message = `the VM's host cannot use storage pool ${missing.join(', ')}: start its agent with it, or clone the volume to a pool that it reaches`;
  throw new DomainError('conflict_state', message, { details: { fields: [{ field: `${FIELD}.dataDisks`, message }] } });
}

export interface PooledClaim {
  readonly vmId: string;
  readonly vmName: string;
  readonly projectId: string;
  readonly operationId: string;
  readonly imageId: string | null;
  /** New ones. */
  readonly disks: readonly PooledDisk[];
  readonly attached: readonly AttachedVolume[];
}

/**
 * Takes room of pools for new disks of VMs, makes their records, and takes volumes that are there already. Their quota is taken before,
 * so the projects are locked. Locks pools and volumes. Throws no_capacity, quota_exceeded, in_use.
 */
export async function claimPooledDisks(tx: Tx, claims: readonly PooledClaim[]): Promise<void> {
  const bytesByPool = new Map<string, number>();
  for (const { poolId, sizeBytes } of claims.flatMap(({ disks }) => disks)) {
    bytesByPool.set(poolId, sizeBytes + (bytesByPool.get(poolId) ?? 0));
  }
  await takeRoomOfPools(tx, bytesByPool, FIELD);
  for (const { projectId, disks } of claims)
    if (disks.length > 0) await requireVolumeCount(tx, projectId, disks.length);
  const taken = await insertVolumes(tx, claims.flatMap(newVolumesOf));
  if (taken.length > 0)
    throw new DomainError('already_exists', `the project has a volume called ${taken[0]?.name} already`);
  for (const { vmId, attached } of claims) {
    if (await attachVolumes(tx, vmId, attached)) continue;
    const message = 'another request took a volume that was to be attached; look at it anew';
    throw new DomainError('in_use', message, { details: { fields: [{ field: `${FIELD}.dataDisks`, message }] } });
  }
}

const newVolumesOf = ({ vmId, vmName, projectId, operationId, imageId, disks }: PooledClaim) =>
  disks.map(({ volumeId, poolId, role, sizeBytes }) => ({
    ...{ id: volumeId, projectId, name: volumeNameOf(vmName, volumeId), poolId, sizeBytes, operationId },
    source: (role === 'root' && imageId !== null ? { kind: 'image', imageId } : null) as Volume['source'],
    parentVolumeId: null,
    vm: { id: vmId, role },
  }));
