import { type FileHandle, open } from 'node:fs/promises';
import { DomainError } from '@kvorum/schema';
import { digestOfPart, PART_BYTES } from './read-part.js';

export interface PulledFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly allocatedBytes: number;
}

/** A part of a file, as asked for. */
export interface AskedPart {
  readonly name: string;
  readonly offset: number;
  readonly lengthBytes: number;
  /** Of what is here; empty: nothing. */
  readonly haveSha256: string;
}

/** The host that has the VM. Throws DomainError; what it gives is as hostile as anything from outside. */
export interface SourceOfVm {
  describe(stop: AbortSignal): Promise<unknown>;
  read(part: AskedPart, stop: AbortSignal): AsyncIterable<{ offset: number; data: Uint8Array; sha256: string }>;
}

interface Pulling {
  readonly source: SourceOfVm;
  readonly file: PulledFile;
  readonly path: string;
  readonly progress: { doneBytes: number };
  /** Default: PART_BYTES, the most that a host gives at once. */
  readonly partBytes?: number;
}

/**
 * Makes the file at `path` what it is at the source, part by part, and durable. Goes on from what is there: a part that is the
 * same already is compared by its digest and not sent. Each part that came is read back from our own file and compared as well.
 */
export async function pullFile(
  { source, file, path, progress, partBytes = PART_BYTES }: Pulling,
  stop: AbortSignal,
): Promise<void> {
  const own = await open(path, 'a+', 0o600).then(async (made) => {
    await made.close();
    return open(path, 'r+');
  });
  try {
    const before = progress.doneBytes;
    const hereBytes = (await own.stat()).size;
    for (let offset = 0; offset < file.sizeBytes; offset += partBytes) {
      const lengthBytes = Math.min(partBytes, file.sizeBytes - offset);
      const haveSha256 = offset < hereBytes ? await digestOfPart(own, offset, lengthBytes) : '';
      if (offset + lengthBytes > hereBytes) await own.truncate(offset + lengthBytes);
      await pullPart(own, source, { name: file.name, offset, lengthBytes, haveSha256 }, stop);
      // Of what is allocated: a hole costs no time.
      progress.doneBytes = before + Math.floor((file.allocatedBytes * (offset + lengthBytes)) / file.sizeBytes);
    }
    await own.truncate(file.sizeBytes);
    await own.sync();
  } finally {
    await own.close();
  }
}

async function pullPart(own: FileHandle, source: SourceOfVm, part: AskedPart, stop: AbortSignal): Promise<void> {
  const end = part.offset + part.lengthBytes;
  let writtenTo = part.offset;
  let sha256 = '';
  for await (const message of source.read(part, stop)) {
    const { offset, data } = message;
    if (sha256 !== '' || (data.length > 0 && (offset < writtenTo || offset + data.length > end))) {
      throw new DomainError('host_fault', 'the other host sends what was not asked for');
    }
    sha256 = message.sha256;
    if (data.length === 0) continue;
    await own.write(data, 0, data.length, offset);
    writtenTo = offset + data.length;
  }
  if (stop.aborted || sha256 === '')
    throw new DomainError('unavailable', 'the copy was broken off; it goes on when asked again');
  if (sha256 === part.haveSha256 || (await digestOfPart(own, part.offset, part.lengthBytes)) === sha256) return;
  throw new DomainError('checksum_mismatch', `what was received of ${part.name} is not what was sent`);
}
