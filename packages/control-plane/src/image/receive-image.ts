import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { DomainError, IMAGE_BYTES_MAX, type ImageSourceFormat } from '@kvorum/schema';
import { convertImage, noRoom } from './convert-image.js';
import { detectImageFormat, IMAGE_PROBE_BYTES } from './image-format.js';
import { parseQcow2Header } from './qcow2-header.js';

export interface Checksum {
  readonly algorithm: 'sha256' | 'sha512';
  /** Lower-case. */
  readonly hex: string;
}

export interface WantedContent {
  /** Null: nothing was announced. */
  readonly checksum: Checksum | null;
  /** As the sender announced it; null: unknown. */
  readonly contentLength: number | null;
  readonly signal?: AbortSignal;
}

/** A type, and not an interface: it is stored as JSON, as the output of a step. */
export type ImageFacts = {
  readonly sizeBytes: number;
  readonly virtualSizeBytes: number;
  /** Of the qcow2 file. */
  readonly sha256: string;
  readonly sourceFormat: ImageSourceFormat;
  /** Of what was taken in. */
  readonly sourceSha256: string;
};

const FILE_MODE = 0o600;

/**
 * Writes the stream to a new file `path` and leaves a checked, self-contained qcow2 file there, converted if it was something
 * else. Throws image_invalid, checksum_mismatch, payload_too_large (no room, too); then no file is left.
 */
export async function receiveImage(path: string, content: Readable, wanted: WantedContent): Promise<ImageFacts> {
  const convertedPath = `${path}.converted`;
  try {
    const source = await writeNew(path, content, wanted);
    const { format: sourceFormat, sha256: sourceSha256 } = source;
    if (sourceFormat === 'qcow2') {
      const { virtualSizeBytes } = parseQcow2Header(source.head, source.sizeBytes);
      return { sizeBytes: source.sizeBytes, virtualSizeBytes, sha256: sourceSha256, sourceFormat, sourceSha256 };
    }
    await convertImage(path, sourceFormat, convertedPath, wanted.signal);
    await rename(convertedPath, path);
    return { ...(await readConverted(path)), sourceFormat, sourceSha256 };
  } catch (error) {
    await rm(path, { force: true });
    throw (error as NodeJS.ErrnoException).code === 'ENOSPC' ? noRoom() : error;
  } finally {
    await rm(convertedPath, { force: true });
  }
}

interface Written {
  readonly format: ImageSourceFormat;
  readonly head: Buffer;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** Refuses the content as soon as it cannot be the image that was announced. */
async function writeNew(path: string, content: Readable, wanted: WantedContent): Promise<Written> {
  if ((wanted.contentLength ?? 0) > IMAGE_BYTES_MAX) throw tooLarge();
  const draft = await open(path, 'wx', FILE_MODE);
  try {
    const sha256 = createHash('sha256');
    const announced = wanted.checksum?.algorithm === 'sha512' ? createHash('sha512') : null;
    let head = Buffer.alloc(0);
    let sizeBytes = 0;
    for await (const part of content as AsyncIterable<Buffer>) {
      sizeBytes += part.byteLength;
      if (sizeBytes > (wanted.contentLength ?? IMAGE_BYTES_MAX)) throw tooLarge();
      if (head.byteLength < IMAGE_PROBE_BYTES) {
        head = Buffer.concat([head, part.subarray(0, IMAGE_PROBE_BYTES - head.byteLength)]);
        if (head.byteLength === IMAGE_PROBE_BYTES && detectImageFormat(head) === 'qcow2') parseQcow2Header(head, null);
      }
      sha256.update(part);
      announced?.update(part);
      await writeAll(draft, part);
    }
    if (wanted.contentLength !== null && sizeBytes < wanted.contentLength) {
      throw new DomainError('image_invalid', `only ${sizeBytes} of ${wanted.contentLength} bytes arrived`);
    }
    const format = detectImageFormat(head);
    const received = sha256.digest('hex');
    refuseIfOther(wanted.checksum, received, announced);
    await draft.sync();
    return { format, head, sizeBytes, sha256: received };
  } finally {
    await draft.close();
  }
}

function refuseIfOther(wanted: Checksum | null, sha256: string, sha512: Hash | null): void {
  if (wanted === null) return;
  const received = sha512?.digest('hex') ?? sha256;
  if (received === wanted.hex) return;
  const name = wanted.algorithm === 'sha512' ? 'SHA-512' : 'SHA-256';
  throw new DomainError('checksum_mismatch', `the content has ${name} ${received}, announced was ${wanted.hex}`, {
    details: { announced: wanted.hex, received },
  });
}

/** What qemu-img made is held to the same rules as what others made. */
async function readConverted(path: string): Promise<Pick<ImageFacts, 'sizeBytes' | 'virtualSizeBytes' | 'sha256'>> {
  const file = await open(path, constants.O_RDWR);
  try {
    await file.chmod(FILE_MODE);
    const head = Buffer.alloc(IMAGE_PROBE_BYTES);
    const { bytesRead } = await file.read(head, 0, head.byteLength, 0);
    const { size: sizeBytes } = await file.stat();
    const { virtualSizeBytes } = parseQcow2Header(head.subarray(0, bytesRead), sizeBytes);
    const hash = createHash('sha256');
    for await (const part of file.createReadStream({ autoClose: false, start: 0 })) hash.update(part as Buffer);
    await file.sync();
    return { sizeBytes, virtualSizeBytes, sha256: hash.digest('hex') };
  } finally {
    await file.close();
  }
}

/** write(2) may take less than it was given. */
async function writeAll(file: FileHandle, part: Buffer): Promise<void> {
  let done = 0;
  while (done < part.byteLength) {
    const { bytesWritten } = await file.write(part, done);
    done += bytesWritten;
  }
}

const tooLarge = (): DomainError =>
  new DomainError('payload_too_large', `the content is longer than announced, or than ${IMAGE_BYTES_MAX} bytes`);
