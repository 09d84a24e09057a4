import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { HypervisorDriver } from '@kvorum/hypervisor-driver';
import { z } from 'zod';
import type { ImageCache } from '../image/image-cache.js';
import type { Log } from '../log.js';
import type { StateFolders } from '../state/state-folders.js';
import type { VmDirectory } from '../vm/vm-directory.js';
import { Quarantine, type QuarantinedKind, type QuarantinedLeftover } from './quarantine.js';

export interface HostSweepParts {
  readonly directory: VmDirectory;
  readonly folders: StateFolders;
  readonly driver: Pick<HypervisorDriver, 'sweep' | 'removeLeftovers'>;
  readonly images: ImageCache;
  readonly log: Log;
}

export interface HostSweepRequest {
  /** What is younger may be being made. */
  readonly orphanAgeMs: number;
  /** Images of the site. */
  readonly imageSha256s: readonly string[];
}

export interface HostSweep {
  readonly quarantined: readonly QuarantinedLeftover[];
  readonly removed: readonly RemovedLeftover[];
  readonly faults: readonly string[];
}

export interface RemovedLeftover {
  readonly kind: 'run-folder' | 'control-group' | 'image';
  readonly ownerId: string;
  readonly sizeBytes: number;
}

/**
 * Finds what is on the host and belongs to no VM that the agent knows. Data is moved into quarantine, the rest is removed. Whatever is made
 * for a VM is made after its record is written and removed before its record is forgotten, so that what has no record has no owner.
 * One thing that fails is named in the answer and keeps no other from being looked at.
 */
export async function sweepHost(parts: HostSweepParts, request: HostSweepRequest): Promise<HostSweep> {
  const { folders, directory, driver, images } = parts;
  const removed: RemovedLeftover[] = [];
  const faults: string[] = [];
  const attempt = async (what: string, task: () => Promise<void>): Promise<void> => {
    await task().catch((thrown: unknown) => faults.push(`${what}: ${(thrown as Error).message}`));
  };
  const isOld = olderThan(request.orphanAgeMs);
  for (const vmId of await unknownVms(folders.runDir, directory)) {
    if (!(await isOld(folders.runDirOf(vmId)))) continue;
    await attempt(`the run folder of ${vmId}`, async () => {
      // Ends what runs there first: a process that no record knows is nobody's.
      await driver.sweep(vmId, folders.runDirOf(vmId));
      await rm(folders.runDirOf(vmId), { recursive: true, force: true });
      removed.push({ kind: 'run-folder', ownerId: vmId, sizeBytes: 0 });
    });
  }
  const quarantine = new Quarantine(folders.quarantine);
  for (const { kind, ownerId, path } of await strayData(folders, directory)) {
    if (!(await isOld(path))) continue;
    await attempt(path, async () => {
      await quarantine.take(kind, ownerId, path, Date.now());
      parts.log.warn({ vmId: ownerId, kind }, 'data that belongs to nobody was put into quarantine');
    });
  }
  await attempt('control groups', async () => {
    const ids = await driver.removeLeftovers((vmId) => directory.find(vmId) !== null);
    removed.push(...ids.map((ownerId) => ({ kind: 'control-group' as const, ownerId, sizeBytes: 0 })));
  });
  await attempt('images', async () => {
    const unused = await images.collect({ keep: new Set(request.imageSha256s), idleMs: request.orphanAgeMs });
    removed.push(...unused.map(({ sha256, sizeBytes }) => ({ kind: 'image' as const, ownerId: sha256, sizeBytes })));
  });
  return { quarantined: await quarantine.list(), removed, faults };
}

interface StrayData {
  readonly kind: QuarantinedKind;
  readonly ownerId: string;
  readonly path: string;
}

async function strayData(folders: StateFolders, directory: VmDirectory): Promise<StrayData[]> {
  const found: StrayData[] = [];
  for (const ownerId of await unknownVms(folders.disks, directory)) {
    found.push({ kind: 'disks', ownerId, path: folders.disksOf(ownerId) });
  }
  for (const ownerId of await unknownVms(folders.firmware, directory)) {
    found.push({ kind: 'firmware', ownerId, path: folders.firmwareOf(ownerId) });
  }
  for (const { vmId, record } of directory.actors) {
    // A VM without any disk on record is one that is coming from another host: its record names them when all are there.
    if (record === null || record.tombstone !== null || Object.keys(record.volumes).length === 0) continue;
    for (const volumeId of await volumesIn(folders.disksOf(vmId))) {
      if (volumeId in record.volumes) continue;
      found.push({ kind: 'disk', ownerId: vmId, path: folders.diskOf(vmId, volumeId) });
    }
  }
  return found;
}

/** VMs that have a folder in `path` and no record. Only folders that are named as ours are. */
async function unknownVms(path: string, directory: VmDirectory): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true });
  const ids = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  return ids.filter((id) => z.uuid().safeParse(id).success && isUnknown(directory, id));
}

function isUnknown(directory: VmDirectory, vmId: string): boolean {
  const actor = directory.find(vmId);
  if (actor === null) return true;
  // It has been removed, and that was seen through.
  return actor.record?.tombstone?.isSwept === true;
}

async function volumesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.flatMap((name) => {
    const [, volumeId] = /^(.{36})\.qcow2$/.exec(name) ?? [];
    return volumeId !== undefined && z.uuid().safeParse(volumeId).success ? [volumeId] : [];
  });
}

/** Neither it nor anything in it was changed for so long. */
const olderThan =
  (ageMs: number) =>
  async (path: string): Promise<boolean> => {
    const newestMs = await newestChangeMs(path).catch(() => Number.POSITIVE_INFINITY);
    return Date.now() - newestMs >= ageMs;
  };

async function newestChangeMs(path: string): Promise<number> {
  const facts = await lstat(path);
  if (!facts.isDirectory()) return facts.ctimeMs;
  const inside = await Promise.all((await readdir(path)).map((name) => newestChangeMs(join(path, name))));
  return Math.max(facts.ctimeMs, ...inside);
}
