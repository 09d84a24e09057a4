import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '@kvorum/schema';
import { z } from 'zod';
import { removeFile, replaceFile } from './durable-file.js';

const Count = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/** Orders requests for one volume: `generation` first, then `fencingToken`. */
export const Fence = z.strictObject({ generation: Count, fencingToken: Count });
export type Fence = z.infer<typeof Fence>;

/** Of a volume that nobody has asked anything of by a fence. */
export const NO_FENCE: Fence = { generation: 0, fencingToken: 0 };

export const compareFences = (a: Fence, b: Fence): number =>
  a.generation - b.generation || a.fencingToken - b.fencingToken;

/** Throws `stale_generation` for a request that a newer one has overtaken. */
export function assertNotOvertaken(volumeId: string, known: Fence, fence: Fence): void {
  if (compareFences(fence, known) >= 0) return;
  throw new DomainError('stale_generation', `a newer request for volume ${volumeId} has been seen on the pool`);
}

const SUFFIX = '.json';
/** Longer than any operation can live, and a pool can be cut off from one of its hosts: after it no late request can come. */
const TOMBSTONE_KEEP_MS = 30 * 24 * 3_600_000;

const Tombstone = z.strictObject({ formatVersion: z.literal(1), fence: Fence, purgedAtMs: Count });

/** What is left of volumes that are gone, so that a request from before their end does not make them anew. */
export class Tombstones {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The fence of a volume that has no record. Throws `stale_generation` unless the request is newer than the volume's end. */
  async assertMayMake(volumeId: string, fence: Fence): Promise<void> {
    const found = await this.#find(volumeId);
    if (found === null || compareFences(fence, found.fence) > 0) return;
    throw new DomainError('stale_generation', `volume ${volumeId} has been removed since`);
  }

  /** Keeps the higher of the fence and what is known. */
  async put(volumeId: string, fence: Fence, purgedAtMs: number): Promise<void> {
    const found = await this.#find(volumeId);
    const highest = found !== null && compareFences(found.fence, fence) > 0 ? found.fence : fence;
    await replaceFile(this.#pathOf(volumeId), `${JSON.stringify({ formatVersion: 1, fence: highest, purgedAtMs })}\n`);
  }

  /** Forgets those that are old enough. */
  async sweep(nowMs: number): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      const volumeId = name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : '';
      if (!z.uuid().safeParse(volumeId).success) continue;
      const found = await this.#find(volumeId);
      if (found !== null && nowMs - found.purgedAtMs > TOMBSTONE_KEEP_MS) await removeFile(this.#pathOf(volumeId));
    }
  }

  async #find(volumeId: string): Promise<z.infer<typeof Tombstone> | null> {
    try {
      return Tombstone.parse(JSON.parse(await readFile(this.#pathOf(volumeId), 'utf8')));
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw new DomainError('host_fault', `the tombstone of volume ${volumeId} is not readable`, { cause: thrown });
    }
  }

  #pathOf(volumeId: string): string {
    return join(this.#folder, `${volumeId}${SUFFIX}`);
  }
}
