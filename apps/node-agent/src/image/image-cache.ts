import { createHash } from 'node:crypto';
import { open, readdir, rename, rm, stat, statfs, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { syncPath, TEMPORARY_SUFFIX } from '@kvorum/host-storage';
import { DomainError, MIB } from '@kvorum/schema';
import type { Log } from '../log.js';
import type { StateFolders } from '../state/state-folders.js';
import type { ImageSource, SourcesOf, WantedImage } from './image-source.js';

/** Kept free for records and logs: a full file system stops every VM of the host. */
const FREE_BYTES_KEPT = 64 * MIB;
/** A source that sends nothing for so long has failed; the operation tries again. */
const IDLE_TIMEOUT_MS = 30_000;
/** More at once share the same network and disk and finish later together. */
const DOWNLOADS_MAX = 4;
/** Between the answer that an image is here and the first disk on it. */
const IDLE_MS = 3_600_000;

interface Download {
  readonly sizeBytes: number;
  doneBytes: number;
  readonly finished: Promise<void>;
}

/**
 * Images of this host by content: `<sha256>.qcow2` is there completely and verified, or not at all. Those who ask for
 * the same image at the same time share one download.
 */
export class ImageCache {
  readonly #folders: StateFolders;
  readonly #sourcesOf: SourcesOf;
  readonly #inUse: () => ReadonlySet<string> | null;
  readonly #log: Log;
  readonly #downloads = new Map<string, Download>();
  readonly #closing = new AbortController();

  /** `inUse`: those that something on this host rests on; null: not known. */
  constructor(folders: StateFolders, sourcesOf: SourcesOf, inUse: () => ReadonlySet<string> | null, log: Log) {
    this.#folders = folders;
    this.#sourcesOf = sourcesOf;
    this.#inUse = inUse;
    this.#log = log;
  }

  /** Half downloads of an earlier agent are of no use: they are not resumed. */
  async removeLeftovers(): Promise<void> {
    for (const name of await readdir(this.#folders.images)) {
      if (name.endsWith(TEMPORARY_SUFFIX)) await rm(join(this.#folders.images, name), { force: true });
    }
  }

  async pathOf(sha256: string): Promise<string | null> {
    const path = this.#folders.imageOf(sha256);
    return (await sizeOf(path)) === null ? null : path;
  }

  /** Bytes that a download of this image has so far, or null when none runs. */
  progressOf(sha256: string): number | null {
    return this.#downloads.get(sha256)?.doneBytes ?? null;
  }

  /**
   * Throws `checksum_mismatch` when the content is not what was announced, `no_capacity` when it does not fit on the
   * disk, `unavailable` or `host_unreachable` when the source fails or too many downloads run.
   */
  async ensure(image: WantedImage): Promise<void> {
    const presentBytes = await sizeOf(this.#folders.imageOf(image.sha256));
    if (presentBytes === image.sizeBytes) {
      // Whoever asked is about to make something that rests on it: it counts as idle from now on.
      const now = new Date();
      await utimes(this.#folders.imageOf(image.sha256), now, now);
      return;
    }
    if (presentBytes !== null) {
      throw new DomainError('checksum_mismatch', `the image of this sha256 has ${presentBytes} bytes`);
    }
    let download = this.#downloads.get(image.sha256);
    if (download === undefined) {
      if (this.#downloads.size >= DOWNLOADS_MAX) {
        throw new DomainError('unavailable', `${DOWNLOADS_MAX} images are being fetched already`);
      }
      download = this.#begin(image);
    }
    await download.finished;
  }

  /** Removes images that nothing rests on, that nobody asked for within `idleMs`, and that are not to be kept. Returns which. */
  async collect({
    keep,
    idleMs,
  }: {
    readonly keep: ReadonlySet<string>;
    readonly idleMs: number;
  }): Promise<IdleImage[]> {
    const unwanted = (await this.#idleImages(idleMs)).filter(({ sha256 }) => !keep.has(sha256));
    for (const image of unwanted) await this.#remove(image, 'the site has no such image');
    return unwanted;
  }

  /** Longest unused first. */
  async #idleImages(idleMs: number): Promise<IdleImage[]> {
    const found: (IdleImage & { usedAtMs: number })[] = [];
    const inUse = this.#inUse();
    if (inUse === null) return [];
    for (const name of await readdir(this.#folders.images)) {
      const [, sha256] = /^([0-9a-f]{64})\.qcow2$/.exec(name) ?? [];
      if (sha256 === undefined || inUse.has(sha256) || this.#downloads.has(sha256)) continue;
      const facts = await stat(this.#folders.imageOf(sha256));
      if (Date.now() - facts.mtimeMs >= idleMs) found.push({ sha256, sizeBytes: facts.size, usedAtMs: facts.mtimeMs });
    }
    return found.sort((one, other) => one.usedAtMs - other.usedAtMs);
  }

  /** Who reads it at this moment reads on: the file goes with its last reader. */
  async #remove({ sha256, sizeBytes }: IdleImage, why: string): Promise<void> {
    await rm(this.#folders.imageOf(sha256), { force: true });
    this.#log.info({ sha256, sizeBytes, why }, 'an image was removed from the cache');
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled([...this.#downloads.values()].map((download) => download.finished));
  }

  #begin(image: WantedImage): Download {
    const progress = { sizeBytes: image.sizeBytes, doneBytes: 0 };
    const finished = this.#fetch(image, progress).finally(() => this.#downloads.delete(image.sha256));
    const download: Download = Object.assign(progress, { finished });
    this.#downloads.set(image.sha256, download);
    return download;
  }

  async #fetch(image: WantedImage, progress: { doneBytes: number }): Promise<void> {
    await this.#refuseIfFull(image.sizeBytes, progress);
    const path = this.#folders.imageOf(image.sha256);
    const temporary = `${path}${TEMPORARY_SUFFIX}`;
    try {
      const from = await this.#receiveFromAny(image, temporary, progress);
      await rename(temporary, path);
      await syncPath(this.#folders.images);
      this.#log.info({ imageId: image.imageId, sizeBytes: image.sizeBytes, from }, 'an image is in the cache');
    } catch (thrown) {
      await rm(temporary, { force: true });
      if (thrown instanceof DomainError) throw thrown;
      throw new DomainError('host_fault', 'the image could not be stored on this host', { cause: thrown });
    }
  }

  /** From the first source that gives it, whatever is wrong with those before; says which. Throws what the last one failed with. */
  async #receiveFromAny(image: WantedImage, temporary: string, progress: { doneBytes: number }): Promise<string> {
    const sources = this.#sourcesOf(image);
    for (const [index, source] of sources.entries()) {
      try {
        progress.doneBytes = 0;
        await this.#receive(source, image, temporary, progress);
        return source.name;
      } catch (thrown) {
        if (index === sources.length - 1 || this.#closing.signal.aborted) throw thrown;
        const { message } = thrown as Error;
        this.#log.warn({ imageId: image.imageId, from: source.name, reason: message }, 'a source of an image failed');
      }
    }
    throw new TypeError('an image has a source');
  }

  async #receive(
    source: ImageSource,
    image: WantedImage,
    temporary: string,
    progress: { doneBytes: number },
  ): Promise<void> {
    const idle = new AbortController();
    const signal = AbortSignal.any([idle.signal, this.#closing.signal]);
    const timer = setTimeout(() => idle.abort(), IDLE_TIMEOUT_MS);
    const hash = createHash('sha256');
    await rm(temporary, { force: true });
    const file = await open(temporary, 'wx', 0o600);
    try {
      for await (const chunk of source.read(signal)) {
        timer.refresh();
        if (progress.doneBytes + chunk.byteLength > image.sizeBytes) {
          throw new DomainError('checksum_mismatch', `the image is larger than the announced ${image.sizeBytes} bytes`);
        }
        hash.update(chunk);
        await file.writeFile(chunk);
        progress.doneBytes += chunk.byteLength;
      }
      if (signal.aborted) throw new DomainError('unavailable', 'the image stopped coming; ask again');
      refuseIfOther(image, progress.doneBytes, hash.digest('hex'));
      await file.sync();
    } finally {
      clearTimeout(timer);
      await file.close();
    }
  }

  /** Images that nothing rests on make room first: they can be had again. */
  async #refuseIfFull(sizeBytes: number, download: object): Promise<void> {
    const neededBytes = sizeBytes + FREE_BYTES_KEPT;
    let freeBytes = await this.#freeBytes(download);
    for (const idle of freeBytes < neededBytes ? await this.#idleImages(IDLE_MS) : []) {
      await this.#remove(idle, 'another image needs the room');
      freeBytes = await this.#freeBytes(download);
      if (freeBytes >= neededBytes) break;
    }
    if (freeBytes < neededBytes) {
      throw new DomainError('no_capacity', `the image needs ${sizeBytes} bytes, ${freeBytes} are free on the host`, {
        details: { neededBytes: sizeBytes, freeBytes },
      });
    }
  }

  async #freeBytes(download: object): Promise<number> {
    const fileSystem = await statfs(this.#folders.images);
    // What the other downloads will still write is not free any more.
    const promised = [...this.#downloads.values()].filter((other) => other !== download);
    const promisedBytes = promised.reduce((sum, other) => sum + other.sizeBytes - other.doneBytes, 0);
    return fileSystem.bavail * fileSystem.bsize - promisedBytes;
  }
}

export interface IdleImage {
  readonly sha256: string;
  readonly sizeBytes: number;
}

function refuseIfOther(image: WantedImage, receivedBytes: number, sha256: string): void {
  if (receivedBytes !== image.sizeBytes) {
    throw new DomainError(
      'checksum_mismatch',
      `the image has ${receivedBytes} bytes where ${image.sizeBytes} were announced`,
    );
  }
  if (sha256 !== image.sha256) {
    throw new DomainError('checksum_mismatch', 'the content of the image is not what its sha256 says');
  }
}

async function sizeOf(path: string): Promise<number | null> {
  return stat(path).then(
    ({ size }) => size,
    () => null,
  );
}
