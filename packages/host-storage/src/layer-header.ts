import { open } from 'node:fs/promises';
import { DomainError } from '@kvorum/schema';

/** docs/interop/qcow2.rst: "QFI\xfb". */
const MAGIC = 0x514649fb;
/** Version 2 ends before its features; only images have it. */
const VERSIONS = [2, 3];
/** Up to incompatible_features, which end at byte 80; a file of either version is longer. */
const HEADER_BYTES = 80;
/** docs/interop/qcow2.rst: the name of a backing file is at most 1023 bytes. */
const BACKING_NAME_BYTES_MAX = 1023;
const EXTERNAL_DATA_BIT = 2n;

export interface LayerHeader {
  readonly backingName: string | null;
  readonly sizeBytes: number;
  readonly hasExternalData: boolean;
}

/** Reads what decides before any tool opens the file, and follows no name in it. Throws `host_fault`. */
export async function readLayerHeader(path: string): Promise<LayerHeader> {
  const file = await open(path, 'r').catch((thrown: Error) => {
    throw new DomainError('host_fault', `a layer of the volume cannot be read: ${thrown.message}`, { cause: thrown });
  });
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    const { bytesRead } = await file.read(header, 0, HEADER_BYTES, 0);
    const version = header.readUInt32BE(4);
    if (bytesRead < HEADER_BYTES || header.readUInt32BE(0) !== MAGIC || !VERSIONS.includes(version)) {
      throw new DomainError('host_fault', `${path} is not a qcow2 file of a known version`);
    }
    const offset = Number(header.readBigUInt64BE(8));
    const length = header.readUInt32BE(16);
    if (length > BACKING_NAME_BYTES_MAX) throw new DomainError('host_fault', `${path} has a broken header`);
    const name = Buffer.alloc(length);
    if (offset !== 0) await file.read(name, 0, length, offset);
    return {
      backingName: offset === 0 || length === 0 ? null : name.toString('utf8'),
      sizeBytes: Number(header.readBigUInt64BE(24)),
      hasExternalData: version > 2 && (header.readBigUInt64BE(72) & (1n << EXTERNAL_DATA_BIT)) !== 0n,
    };
  } finally {
    await file.close();
  }
}
