import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { DomainError, ImageId, KIB } from '@kvorum/schema';
import { notFound } from '../token/project-scope.js';
import { type ImageParts, imagePartsIn } from './image-parts.js';
import { type ImageFacts, receiveImage, type WantedContent } from './receive-image.js';

/** The files of images, `<dataDir>/images/<imageId>.qcow2`. A file under its final name is whole and checked. */
export interface ImageStore {
  /** Of images that are on their way in parts. */
  readonly parts: ImageParts;
  /**
   * Takes content in, checks it and makes qcow2 of it. Throws image_invalid, checksum_mismatch, payload_too_large;
   * then nothing is left. An error of the stream itself comes through as it is.
   */
  receive(imageId: string, content: Readable, wanted: WantedContent): Promise<ReceivedImage>;
  /** As `receive`, from a plain file of the import folder. Throws not_found, invalid_request. */
  importFile(imageId: string, fileName: string, sha256: string): Promise<ReceivedImage>;
  /** The content from `offset` on, in parts of at most READ_BYTES_MAX. Throws not_found. */
  read(imageId: string, offset: number): AsyncIterable<Uint8Array>;
  /** No error if it is not there. */
  remove(imageId: string): Promise<void>;
  /** Removes what crashes left behind; returns how many files that were. */
  removeLeftovers(): Promise<number>;
  /** Ids of all images that have a file. */
  list(): Promise<string[]>;
}

/** Content that is checked and lies beside the images: nobody can read it before `keep`. */
export interface ReceivedImage {
  readonly facts: ImageFacts;
  /**
   * Makes it the image's file. To be called in the transaction that says so, under the lock of the image's row: of several that
   * received one image, converted each by itself, only the one whose facts the row gets may put its file there.
   */
  keep(): Promise<void>;
  /** Removes it, unless it was kept. */
  discard(): Promise<void>;
}

/** Below gRPC's limit of 4 MiB per message; larger parts are not faster. */
const READ_BYTES_MAX = 512 * KIB;
/** A file under way is written to all the time; one untouched for this long belongs to a process that is gone. */
const LEFTOVER_AGE_MS = 3_600_000;
const FOLDER_MODE = 0o700;
const SUFFIX = '.qcow2';
/** As the API's shape of it: no folder, no hidden file. */
const IMPORT_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$/;

export async function openImageStore(folders: { dataDir: string; importDir: string }): Promise<ImageStore> {
  const store = new FileImageStore(join(folders.dataDir, 'images'), folders.importDir);
  await store.prepare();
  return store;
}

class FileImageStore implements ImageStore {
  readonly parts: ImageParts;
  readonly #folder: string;
  readonly #incoming: string;
  readonly #importDir: string;

  constructor(folder: string, importDir: string) {
    this.#folder = folder;
    this.#incoming = join(folder, 'incoming');
    this.#importDir = importDir;
    this.parts = imagePartsIn(join(folder, 'parts'));
  }

  async prepare(): Promise<void> {
    await mkdir(this.#incoming, { recursive: true, mode: FOLDER_MODE });
    await mkdir(this.#importDir, { recursive: true });
    await this.removeLeftovers();
  }

  async receive(imageId: string, content: Readable, wanted: WantedContent): Promise<ReceivedImage> {
    const draftPath = join(this.#incoming, `${imageId}-${randomUUID()}.part`);
    const facts = await receiveImage(draftPath, content, wanted);
    return {
      facts,
      keep: async () => {
        await rename(draftPath, this.#pathOf(imageId));
        await syncFolder(this.#folder);
      },
      discard: () => rm(draftPath, { force: true }),
    };
  }

  async importFile(imageId: string, fileName: string, sha256: string): Promise<ReceivedImage> {
    if (!IMPORT_NAME.test(fileName)) throw refusedFile('must be a plain file name inside the import folder');
    const file = await openPlainFile(join(this.#importDir, fileName));
    try {
      const { size } = await file.stat();
      const content = file.createReadStream({ autoClose: false });
      return await this.receive(imageId, content, {
        checksum: { algorithm: 'sha256', hex: sha256 },
        contentLength: size,
      });
    } finally {
      await file.close();
    }
  }

  async *read(imageId: string, offset: number): AsyncIterable<Uint8Array> {
    const file = await openOrNull(this.#pathOf(imageId), constants.O_RDONLY);
    if (file === null) throw notFound('the content of the image');
    try {
      let position = offset;
      for (;;) {
        const part = Buffer.allocUnsafe(READ_BYTES_MAX);
        const { bytesRead } = await file.read(part, 0, part.byteLength, position);
        if (bytesRead === 0) return;
        position += bytesRead;
        yield part.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }

  async remove(imageId: string): Promise<void> {
    await rm(this.#pathOf(imageId), { force: true });
  }

  async removeLeftovers(): Promise<number> {
    const before = Date.now() - LEFTOVER_AGE_MS;
    let count = 0;
    for (const name of await readdir(this.#incoming)) {
      const path = join(this.#incoming, name);
      const found = await stat(path).catch(() => null);
      if (found === null || found.mtimeMs >= before) continue;
      await rm(path, { force: true });
      count += 1;
    }
    return count;
  }

  async list(): Promise<string[]> {
    const names = await readdir(this.#folder);
    return names
      .filter((name) => name.endsWith(SUFFIX))
      .map((name) => name.slice(0, -SUFFIX.length))
      .filter((name) => ImageId.safeParse(name).success);
  }

  #pathOf(imageId: string): string {
    return join(this.#folder, imageId + SUFFIX);
  }
}

/**
 * Opens a regular file, whatever its name points at: O_NOFOLLOW refuses a symbolic link, O_NONBLOCK keeps a FIFO from
 * blocking, and what was opened (not what the name means a moment later) is asked for its kind.
 */
async function openPlainFile(path: string): Promise<FileHandle> {
  const file = await openOrNull(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if (file === null) throw notFound('the file in the import folder');
  const isPlain = (await file.stat()).isFile();
  if (isPlain) return file;
  await file.close();
  throw refusedFile('is not a regular file');
}

async function openOrNull(path: string, flags: number): Promise<FileHandle | null> {
  try {
    return await open(path, flags);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return null;
    // ELOOP: O_NOFOLLOW met a link; ENXIO: a socket.
    if (code === 'ELOOP' || code === 'ENXIO') throw refusedFile('is not a regular file');
    if (code === 'EACCES') throw refusedFile('cannot be read by the control plane');
    throw error;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

const refusedFile = (message: string): DomainError =>
  new DomainError('invalid_request', `the file ${message}`, {
    details: { fields: [{ field: 'body.fileName', message }] },
  });
