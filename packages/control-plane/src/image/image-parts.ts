import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { DomainError, IMAGE_PART_BYTES_MAX, ImageId, type ImagePart } from '@kvorum/schema';
import { noRoom } from './convert-image.js';

/**
 * Parts of images that are uploaded in parts: `<dataDir>/images/parts/<imageId>/<number>`. A part gets its name once it is whole and on disk,
 * so an upload that broke off, or two of one part at a time, cost at most that part. No process keeps anything of them in memory.
 */
export interface ImageParts {
  /** Takes the place of an earlier one. Throws payload_too_large (no room, too), invalid_request (it is not as long as announced). */
  put(imageId: string, number: number, content: Readable, contentLength: number | null): Promise<ImagePart>;
  /** By number. */
  list(imageId: string): Promise<ImagePart[]>;
  /** Of parts 1 to `partCount`, one after the other. Throws conflict_state, also while it is read, if one is missing. */
  open(imageId: string, partCount: number): Promise<{ readonly content: Readable; readonly sizeBytes: number }>;
  /** No error if there are none. */
  remove(imageId: string): Promise<void>;
  /** Removes those of images of which no part came since; returns how many images that were. */
  removeUntouchedSince(time: Date): Promise<number>;
  /** Ids of the images that have parts. */
  listImages(): Promise<string[]>;
}

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
const NUMBER = /^[1-9]\d*$/;

export const imagePartsIn = (folder: string): ImageParts => new FileImageParts(folder);

class FileImageParts implements ImageParts {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async put(imageId: string, number: number, content: Readable, contentLength: number | null): Promise<ImagePart> {
    const folder = this.#folderOf(imageId);
    await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
    const draftPath = join(folder, `${number}.${randomUUID()}`);
    try {
      const sizeBytes = await writeDraft(draftPath, content, contentLength);
      await rename(draftPath, join(folder, String(number)));
      return { number, sizeBytes };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOSPC') throw noRoom();
      // The image was completed or deleted by somebody else, and its parts went.
      if (code === 'ENOENT') throw gone();
      throw error;
    } finally {
      await rm(draftPath, { force: true });
    }
  }

  async list(imageId: string): Promise<ImagePart[]> {
    const folder = this.#folderOf(imageId);
    const numbers = (await namesIn(folder)).filter((name) => NUMBER.test(name)).map(Number);
    const sized = numbers.map(async (number) => ({ number, sizeBytes: await sizeOf(join(folder, String(number))) }));
    return (await Promise.all(sized)).filter(({ sizeBytes }) => sizeBytes > 0).sort((a, b) => a.number - b.number);
  }

  async open(imageId: string, partCount: number): Promise<{ content: Readable; sizeBytes: number }> {
    const parts = (await this.list(imageId)).slice(0, partCount);
    const missing = firstMissing(parts, partCount);
    if (missing !== null) throw new DomainError('conflict_state', `part ${missing} of ${partCount} has not arrived`);
    return {
      content: Readable.from(this.#read(imageId, partCount), { objectMode: false }),
      sizeBytes: parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    };
  }

  async remove(imageId: string): Promise<void> {
    await rm(this.#folderOf(imageId), { recursive: true, force: true });
  }

  async removeUntouchedSince(time: Date): Promise<number> {
    let count = 0;
    for (const imageId of await this.listImages()) {
      // A folder's time is that of its last new, renamed or removed entry: of the last part.
      const found = await stat(this.#folderOf(imageId)).catch(() => null);
      if (found === null || found.mtime >= time) continue;
      await this.remove(imageId);
      count += 1;
    }
    return count;
  }

  async listImages(): Promise<string[]> {
    return (await namesIn(this.#folder)).filter((name) => ImageId.safeParse(name).success);
  }

  async *#read(imageId: string, partCount: number): AsyncGenerator<Buffer> {
    for (let number = 1; number <= partCount; number += 1) {
      const file = await open(join(this.#folderOf(imageId), String(number)), constants.O_RDONLY).catch(() => {
        throw gone();
      });
      yield* file.createReadStream() as AsyncIterable<Buffer>;
    }
  }

  #folderOf(imageId: string): string {
    return join(this.#folder, imageId);
  }
}

async function writeDraft(path: string, content: Readable, contentLength: number | null): Promise<number> {
  const draft = await open(path, 'wx', FILE_MODE);
  try {
    let sizeBytes = 0;
    for await (const chunk of content as AsyncIterable<Buffer>) {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > IMAGE_PART_BYTES_MAX) {
        throw new DomainError('payload_too_large', `a part has at most ${IMAGE_PART_BYTES_MAX} bytes`);
      }
      await draft.writeFile(chunk);
    }
    if (sizeBytes === 0 || (contentLength !== null && sizeBytes !== contentLength)) {
      throw new DomainError('invalid_request', `${sizeBytes} bytes arrived of ${contentLength ?? 'at least 1'}`);
    }
    await draft.sync();
    return sizeBytes;
  } finally {
    await draft.close();
  }
}

function firstMissing(parts: readonly ImagePart[], partCount: number): number | null {
  const missing = parts.findIndex(({ number }, index) => number !== index + 1);
  if (missing >= 0) return missing + 1;
  return parts.length < partCount ? parts.length + 1 : null;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** 0: it went meanwhile. */
const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(() => null))?.size ?? 0;

const gone = (): DomainError =>
  new DomainError('conflict_state', 'the parts were removed meanwhile: the image was completed or deleted');
