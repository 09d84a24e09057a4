import { lstat, mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { syncPath } from '@kvorum/host-storage';
import { DomainError } from '@kvorum/schema';

const STAT_BLOCK_BYTES = 512;
const FOLDER_MODE = 0o700;
const ENTRY = /^(disks|disk|firmware)\.([0-9a-f-]{36})\.([0-9]{1,16})$/;

/** What carries data, and is put aside instead of removed. */
export type QuarantinedKind = 'disks' | 'disk' | 'firmware';

export interface QuarantinedLeftover {
  readonly kind: QuarantinedKind;
  /** `<kind>.<owner>.<Unix ms>`. */
  readonly name: string;
  readonly ownerId: string;
  readonly sizeBytes: number;
  readonly sinceMs: number;
}

/**
 * Data on this host that nobody owns any more, moved aside under names that say what it was, whose, and since when. It stays until a
 * person removes it.
 */
export class Quarantine {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** rename(2) within one file system: it is there whole, or still in its old place. No error if another took it meanwhile. */
  async take(kind: QuarantinedKind, ownerId: string, path: string, nowMs: number): Promise<void> {
    const entry = join(this.#folder, `${kind}.${ownerId}.${nowMs}`);
    await mkdir(entry, { recursive: true, mode: FOLDER_MODE });
    await rename(path, join(entry, basename(path))).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    await syncPath(entry);
    await syncPath(this.#folder);
  }

  async list(): Promise<QuarantinedLeftover[]> {
    const found: QuarantinedLeftover[] = [];
    for (const name of await namesIn(this.#folder)) {
      const [, kind, ownerId, sinceMs] = ENTRY.exec(name) ?? [];
      if (kind === undefined || ownerId === undefined) continue;
      const path = join(this.#folder, name);
      // Of a taking that was cut off before its rename: what it was for is still in its place.
      const isEmpty = await rmdir(path).then(
        () => true,
        () => false,
      );
      if (isEmpty) continue;
      const sizeBytes = await allocatedBytesOf(path);
      found.push({ kind: kind as QuarantinedKind, name, ownerId, sizeBytes, sinceMs: Number(sinceMs) });
    }
    return found.sort((one, other) => one.sinceMs - other.sinceMs || one.name.localeCompare(other.name));
  }

  /** Throws `invalid_request` for a name that no entry has. No error if it is not there. */
  async remove(name: string): Promise<void> {
    if (!ENTRY.test(name)) {
      throw new DomainError('invalid_request', 'name is none of an entry of the quarantine', {
        details: { fields: [{ field: 'name', message: 'must be as SweepHost says it' }] },
      });
    }
    await rm(join(this.#folder, name), { recursive: true, force: true });
  }
}

const namesIn = (folder: string): Promise<string[]> =>
  readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });

/** What a file, or all files below a folder, take of the disk. */
export async function allocatedBytesOf(path: string): Promise<number> {
  const facts = await lstat(path);
  if (!facts.isDirectory()) return facts.blocks * STAT_BLOCK_BYTES;
  let sum = 0;
  for (const name of await readdir(path)) sum += await allocatedBytesOf(join(path, name));
  return sum;
}
