import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { MIB } from '@kvorum/schema';

/** What is sent or asked for at a time: a break costs reading this much again at both ends. */
export const PART_BYTES = 64 * MIB;
/** Of the file at once, and of data in a message: well under the 4 MiB that gRPC takes as one. */
const READ_BYTES = MIB;
/** QEMU's cluster: what a guest has not written lies in whole ones. */
const BLOCK_BYTES = 65_536;
const ZEROS = Buffer.alloc(BLOCK_BYTES);

export interface Run {
  readonly offset: number;
  readonly data: Buffer;
}

/**
 * What of a part of a file is not zero, in runs of blocks. The same content gives the same runs, so that their digest is one
 * of the content, wherever its holes are. The data is valid until the next run is asked for.
 */
export async function* runsOf(file: FileHandle, offset: number, lengthBytes: number): AsyncGenerator<Run> {
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  for (let at = offset; at < offset + lengthBytes; at += READ_BYTES) {
    const wanted = Math.min(READ_BYTES, offset + lengthBytes - at);
    const { bytesRead } = await file.read(buffer, 0, wanted, at);
    yield* nonZeroRuns(buffer.subarray(0, bytesRead), at);
    if (bytesRead < wanted) return;
  }
}

function* nonZeroRuns(bytes: Buffer, offset: number): Generator<Run> {
  let start: number | null = null;
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const block = bytes.subarray(at, at + BLOCK_BYTES);
    const isZero = block.equals(ZEROS.subarray(0, block.length));
    if (!isZero) start ??= at;
    else if (start !== null) {
      yield { offset: offset + start, data: bytes.subarray(start, at) };
      start = null;
    }
  }
  if (start !== null) yield { offset: offset + start, data: bytes.subarray(start) };
}

/** Of runs, as they come. */
export class PartDigest {
  readonly #hash = createHash('sha256');

  add({ offset, data }: Run): void {
    const at = Buffer.alloc(8);
    at.writeBigUInt64BE(BigInt(offset));
    this.#hash.update(at).update(data);
  }

  hex(): string {
    return this.#hash.digest('hex');
  }
}

export async function digestOfPart(file: FileHandle, offset: number, lengthBytes: number): Promise<string> {
  const digest = new PartDigest();
  for await (const run of runsOf(file, offset, lengthBytes)) digest.add(run);
  return digest.hex();
}
