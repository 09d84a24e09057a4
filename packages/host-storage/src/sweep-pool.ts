import { rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '@kvorum/schema';
import { syncPath } from './durable-file.js';
import { LayerFiles } from './layer-files.js';
import { type DirectoryPool, invalidField } from './open-volume.js';
import type { SweepPool, SweepReport } from './storage-pool.js';
import { purgeVolume } from './trash-volume.js';
import { layerIdOf, type VolumeRecord } from './volume-record.js';

/**
 * Port: StoragePool.sweep. Nothing without an owner is deleted: it is moved where a person can look at it. While one record cannot
 * be read nothing is moved at all, for its layers would look like nobody's.
 */
export async function sweepPool(pool: DirectoryPool, { trashKeepMs, orphanAgeMs }: SweepPool): Promise<SweepReport> {
  assertDuration('trashKeepMs', trashKeepMs);
  assertDuration('orphanAgeMs', orphanAgeMs);
  const purgedVolumeIds: string[] = [];
  const faults: string[] = [];
  for (const id of await pool.records.ids()) {
    try {
      const record = await pool.records.find(id);
      if (record === null || !isDue(record, pool.now() - trashKeepMs)) continue;
      await purgeVolume(pool, id);
      if (record.state === 'trashed') purgedVolumeIds.push(id);
    } catch (thrown) {
      faults.push(wordsOf(thrown));
    }
  }
  await pool.tombstones.sweep(pool.now());
  // Files before records: a volume that is made meanwhile has its file listed only if its record is read, or its file is young.
  const names = await pool.layers.names();
  const { named, expected, unreadable } = await namedLayers(pool);
  const present = new Set(names.map((name) => LayerFiles.layerOf(name)));
  faults.push(...unreadable, ...expected.filter((id) => !present.has(id)).map((id) => `layer ${id} is gone`));
  const orphans = names.filter((name) => !named.has(LayerFiles.layerOf(name) ?? ''));
  const quarantined = unreadable.length > 0 ? [] : await quarantine(pool, orphans, orphanAgeMs);
  return { purgedVolumeIds, quarantined, faults: [...new Set(faults)] };
}

const isDue = (record: VolumeRecord, beforeMs: number): boolean =>
  record.state === 'retired' || (record.state === 'trashed' && (record.trashedAtMs ?? 0) <= beforeMs);

interface NamedLayers {
  /** By some record: also what is only being copied. */
  readonly named: ReadonlySet<string>;
  /** Those that have to be there. */
  readonly expected: readonly string[];
  /** Why records could not be read. */
  readonly unreadable: readonly string[];
}

async function namedLayers(pool: DirectoryPool): Promise<NamedLayers> {
  const named = new Set<string>();
  const expected: string[] = [];
  const unreadable: string[] = [];
  for (const id of await pool.records.ids()) {
    try {
      const record = await pool.records.find(id);
      expected.push(...(record?.layers ?? []).map((layer) => layer.id));
      if (record?.pending?.kind === 'snapshot') expected.push(layerIdOf(id, record.pending.snapshotId));
      named.add(layerIdOf(id, id));
    } catch (thrown) {
      unreadable.push(wordsOf(thrown));
    }
  }
  for (const id of expected) named.add(id);
  return { named, expected, unreadable };
}

async function quarantine(
  pool: DirectoryPool,
  names: readonly string[],
  orphanAgeMs: number,
): Promise<{ name: string; bytes: number }[]> {
  const moved: { name: string; bytes: number }[] = [];
  for (const name of names) {
    const path = join(pool.layers.folder, name);
    const found = await stat(path).catch(() => null);
    if (found === null || Date.now() - found.mtimeMs < orphanAgeMs) continue;
    // Of the same name as what lies there already: that stays too.
    const isTaken = (await stat(join(pool.quarantineFolder, name)).catch(() => null)) !== null;
    const newName = isTaken ? `${name}.${Date.now()}` : name;
    await rename(path, join(pool.quarantineFolder, newName));
    moved.push({ name: newName, bytes: found.size });
  }
  if (moved.length > 0) {
    await syncPath(pool.quarantineFolder);
    await syncPath(pool.layers.folder);
  }
  return moved;
}

export function assertDuration(field: string, valueMs: number): void {
  if (!Number.isSafeInteger(valueMs) || valueMs < 0)
    throw invalidField(field, 'must be a whole number of milliseconds');
}

export const wordsOf = (thrown: unknown): string => {
  if (thrown instanceof DomainError) return thrown.message;
  throw thrown;
};
