import { open } from 'node:fs/promises';
import { DomainError } from '@kvorum/schema';

/** What matters of a qcow2 header (QEMU's docs/interop/qcow2.rst). */
export interface Qcow2Header {
  readonly virtualSizeBytes: number;
  /** The backing file as written in the header, or null. */
  readonly backingFile: string | null;
  readonly hasExternalDataFile: boolean;
  readonly isCorrupt: boolean;
  readonly isEncrypted: boolean;
}

const MAGIC = 0x514649fb;
/** Version 2 ends at 72; version 3 adds at least up to 104. */
const HEADER_BYTES_V2 = 72;
const HEADER_BYTES_V3 = 104;
const OFFSETS = {
  version: 4,
  backingOffset: 8,
  backingLength: 16,
  size: 24,
  cryptMethod: 32,
  incompatible: 72,
} as const;
const INCOMPATIBLE_CORRUPT = 1n << 1n;
const INCOMPATIBLE_EXTERNAL_DATA = 1n << 2n;
/** The format's own bound on the name's length. */
const BACKING_NAME_BYTES_MAX = 1023;
/** The name lies within the first cluster, which is at most 2 MiB. */
const FIRST_CLUSTER_BYTES_MAX = 2 * 1024 * 1024;

/**
 * Reads the header with our own code, before any tool opens the file: a hostile image could otherwise make the tool
 * open other files. Throws `image_invalid` saying what is wrong.
 */
export async function readQcow2Header(path: string): Promise<Qcow2Header> {
  const file = await open(path, 'r').catch((thrown: NodeJS.ErrnoException) => {
    throw new DomainError('image_invalid', `the image cannot be opened: ${thrown.code ?? 'unknown error'}`);
  });
  try {
    const head = Buffer.alloc(HEADER_BYTES_V3);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    const header = parseQcow2Header(head.subarray(0, bytesRead));
    if (header.backing === null) return { ...header.facts, backingFile: null };
    const name = Buffer.alloc(header.backing.lengthBytes);
    const read = await file.read(name, 0, name.length, header.backing.offset);
    if (read.bytesRead !== name.length) throw invalid('it ends within the name of its backing file');
    return { ...header.facts, backingFile: name.toString('utf8') };
  } finally {
    await file.close();
  }
}

/** Pure. `backing` says where the name of the backing file is. */
export function parseQcow2Header(head: Buffer): {
  facts: Omit<Qcow2Header, 'backingFile'>;
  backing: { offset: number; lengthBytes: number } | null;
} {
  if (head.length < HEADER_BYTES_V2 || head.readUInt32BE(0) !== MAGIC) throw invalid('it is not a qcow2 image');
  const version = head.readUInt32BE(OFFSETS.version);
  if (version !== 2 && version !== 3) throw invalid(`qcow2 version ${version} is not supported`);
  if (version === 3 && head.length < HEADER_BYTES_V3) throw invalid('it ends within its header');
  const incompatible = version === 3 ? head.readBigUInt64BE(OFFSETS.incompatible) : 0n;
  const size = head.readBigUInt64BE(OFFSETS.size);
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid('its virtual size is not plausible');
  return {
    facts: {
      virtualSizeBytes: Number(size),
      hasExternalDataFile: (incompatible & INCOMPATIBLE_EXTERNAL_DATA) !== 0n,
      isCorrupt: (incompatible & INCOMPATIBLE_CORRUPT) !== 0n,
      isEncrypted: head.readUInt32BE(OFFSETS.cryptMethod) !== 0,
    },
    backing: backingName(head),
  };
}

function backingName(head: Buffer): { offset: number; lengthBytes: number } | null {
  const offset = head.readBigUInt64BE(OFFSETS.backingOffset);
  if (offset === 0n) return null;
  const lengthBytes = head.readUInt32BE(OFFSETS.backingLength);
  if (lengthBytes < 1 || lengthBytes > BACKING_NAME_BYTES_MAX || offset > BigInt(FIRST_CLUSTER_BYTES_MAX)) {
    throw invalid('the name of its backing file is out of bounds');
  }
  return { offset: Number(offset), lengthBytes };
}

const invalid = (what: string): DomainError => new DomainError('image_invalid', `the image is not usable: ${what}`);
