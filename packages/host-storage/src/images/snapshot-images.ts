import { DomainError } from '@kvorum/schema';
import { SNAPSHOT_COUNT_MAX } from '../layer-tree.js';
import { assertId } from '../open-volume.js';
import { assertSnapshotRequest } from '../snapshot-volumes.js';
import type { RevertVolume, SnapshotVolumes, VolumeFacts } from '../storage-pool.js';
import type { Fence } from '../volume-fence.js';
import { type ImageRecord, isMadeFor, newImageName } from './image-record.js';
import {
  assertClosed,
  assertRoom,
  assertUsable,
  assertWritten,
  dropUnused,
  factsOf,
  finishPending,
  finishSnapshot,
  getVolume,
  type ImagePool,
  type OpenRecord,
  put,
  settled,
  untilFirst,
  withDoomed,
} from './open-image-volume.js';

/**
 * Port: StoragePool.snapshotVolumes. First on each record that it is about to be made, then the snapshots, then the records. From the
 * first on whoever comes finishes it. One that is there already is as good as a new one where nobody has the volume open:
 * before a VM is given a volume, what is pending on it is finished. Through a VM's process all are made by one transaction or none is, so where only some are
 * there they were left by a process that has ended, and are made anew.
 */
export async function snapshotVolumes(pool: ImagePool, request: SnapshotVolumes): Promise<VolumeFacts[]> {
  assertSnapshotRequest(request);
  return untilFirst(async () => {
    const wanted = new Map(request.volumes.map((one) => [one.volumeId, one.snapshotId]));
    const isLive = request.switchLive !== undefined;
    const found = await findAll(pool, request, wanted);
    const missing = found.filter(({ record }) => !hasSnapshot(record, wanted.get(record.id)));
    for (const { record } of missing) await assertPossible(pool, record, isLive);
    if (missing.length > 0) await assertRoom(pool);
    const done = new Map<string, OpenRecord>();
    for (const open of found) {
      done.set(open.record.id, missing.includes(open) ? await begin(pool, open, wanted) : await settled(pool, open));
    }
    const begun = missing.flatMap(({ record }) => done.get(record.id) ?? []);
    if (isLive) await takeLive(pool, begun, request);
    else for (const { record } of begun) await pool.images.snapshot(pendingOf(record));
    for (const open of begun) done.set(open.record.id, await finishSnapshot(pool, open));
    const facts: VolumeFacts[] = [];
    for (const { volumeId } of request.volumes) {
      const open = done.get(volumeId);
      if (open !== undefined) facts.push(await factsOf(pool, open));
    }
    return facts;
  });
}

/** None is admitted unless all are. A pending snapshot of this very id is left as it is. */
async function findAll(
  pool: ImagePool,
  { volumes }: SnapshotVolumes,
  wanted: ReadonlyMap<string, string>,
): Promise<OpenRecord[]> {
  const admitted: OpenRecord[] = [];
  for (const { volumeId, fence } of volumes) admitted.push(await getVolume(pool, volumeId, fence));
  const found: OpenRecord[] = [];
  for (const open of admitted) {
    const { pending, id } = open.record;
    assertUsable(pool, open.record);
    const isOurs = pending?.kind === 'snapshot' && pending.snapshotId === wanted.get(id);
    found.push(isOurs ? open : await finishPending(pool, open));
  }
  return found;
}

const hasSnapshot = ({ snapshots }: ImageRecord, snapshotId: string | undefined): boolean =>
  snapshots.some(({ id }) => id === snapshotId);

async function assertPossible(pool: ImagePool, record: ImageRecord, isLive: boolean): Promise<void> {
  if (record.snapshots.length >= SNAPSHOT_COUNT_MAX) {
    throw new DomainError(
      'conflict_state',
      `volume ${record.id} has ${SNAPSHOT_COUNT_MAX} snapshots; remove one first`,
    );
  }
  assertWritten(record);
  if (!isLive) await assertClosed(pool, record);
}

async function begin(pool: ImagePool, open: OpenRecord, wanted: ReadonlyMap<string, string>): Promise<OpenRecord> {
  const { record } = open;
  if (record.pending !== null) return open;
  const snapshotId = wanted.get(record.id);
  if (snapshotId === undefined) throw new RangeError(`volume ${record.id} was not asked for`);
  return put(pool, open, { ...record, pending: { kind: 'snapshot', snapshotId, createdAtMs: pool.now() } });
}

const pendingOf = ({ top: image, pending }: ImageRecord): { image: string; snapshot: string } => {
  if (pending?.kind !== 'snapshot') throw new RangeError('no snapshot is pending');
  return { image, snapshot: pending.snapshotId };
};

async function takeLive(pool: ImagePool, begun: readonly OpenRecord[], { switchLive }: SnapshotVolumes): Promise<void> {
  const names = begun.map(({ record }) => pendingOf(record));
  const there: typeof names = [];
  for (const name of names) {
    if ((await pool.images.snapshotNames(name.image)).includes(name.snapshot)) there.push(name);
  }
  if (names.length > 0 && there.length === names.length) return;
  for (const name of there) await pool.images.removeSnapshot(name);
  const turns = begun.map(({ record }) => pool.images.turnOf(record.id, pendingOf(record)));
  if (turns.length > 0) await switchLive?.(turns);
  for (const { image, snapshot } of names) {
    // Nothing is taken on trust from a VM's process.
    if ((await pool.images.snapshotNames(image)).includes(snapshot)) continue;
    throw new DomainError('host_fault', `the VM's process has not made the snapshot ${snapshot}`);
  }
}

/** Port: StoragePool.removeSnapshot. */
export async function removeSnapshot(
  pool: ImagePool,
  volumeId: string,
  snapshotId: string,
  fence?: Fence,
): Promise<VolumeFacts> {
  assertId('volumeId', volumeId);
  assertId('snapshotId', snapshotId);
  return untilFirst(async () => {
    const open = await finishPending(pool, await getVolume(pool, volumeId, fence));
    const { record } = open;
    assertUsable(pool, record);
    // The one snapshot of an image is all it is.
    assertWritten(record);
    const snapshot = record.snapshots.find(({ id }) => id === snapshotId);
    if (snapshot === undefined) return factsOf(pool, await dropUnused(pool, await settled(pool, open)));
    const snapshots = record.snapshots.filter((one) => one !== snapshot);
    const doomed = [...record.doomed, { image: snapshot.image, snapshot: snapshotId }];
    const without = withDoomed({ ...record, snapshots, doomed }, [snapshot.image]);
    return factsOf(pool, await dropUnused(pool, await put(pool, open, without)));
  });
}

/**
 * Port: StoragePool.revertVolume. What is written from then on is a clone of the snapshot: nothing is written over, and one that comes
 * late does nothing.
 */
export async function revertVolume(pool: ImagePool, request: RevertVolume): Promise<VolumeFacts> {
  const { volumeId, snapshotId, revertId, fence } = request;
  for (const [field, id] of Object.entries({ volumeId, snapshotId, revertId })) assertId(field, id);
  return untilFirst(async () => {
    const open = await finishPending(pool, await getVolume(pool, volumeId, fence));
    const { record } = open;
    assertUsable(pool, record);
    assertWritten(record);
    if (isMadeFor(record.top, volumeId, revertId)) {
      return factsOf(pool, await dropUnused(pool, await settled(pool, open)));
    }
    if (!hasSnapshot(record, snapshotId)) {
      throw new DomainError('not_found', `volume ${volumeId} has no snapshot ${snapshotId}`);
    }
    await assertClosed(pool, record);
    const pending = { kind: 'revert' as const, snapshotId, top: newImageName(volumeId, revertId) };
    return factsOf(pool, await finishPending(pool, await put(pool, open, { ...record, pending })));
  });
}

/** As many as a clone may be deep: from there on a volume is made whole in itself when nobody uses it. */
const DEPTH_MAX = 12;

/** Port: StoragePool.shortenVolume. */
export async function shortenVolume(pool: ImagePool, volumeId: string): Promise<VolumeFacts> {
  assertId('volumeId', volumeId);
  return untilFirst(async () => {
    const open = await dropUnused(pool, await finishPending(pool, await getVolume(pool, volumeId)));
    const { record } = open;
    assertUsable(pool, record);
    // An earlier image of its own is kept for nothing but what this one has of it.
    const isAlone = record.depth === 1 || (record.depth <= DEPTH_MAX && record.doomed.length === 0);
    if (isAlone) return factsOf(pool, open);
    await assertClosed(pool, record);
    await pool.images.flatten(record.top, {});
    return factsOf(pool, await dropUnused(pool, await put(pool, open, { ...record, depth: 1 })));
  });
}
