import { createHash } from 'node:crypto';

const CLUSTER_BYTES = 65_536;

interface Header {
  readonly magic?: number;
  readonly version?: number;
  readonly backingFile?: string;
  readonly backingOffset?: bigint;
  readonly backingLength?: number;
  readonly clusterBits?: number;
  readonly virtualSize?: bigint;
  readonly cryptMethod?: number;
  readonly l1Count?: number;
  readonly l1Offset?: bigint;
  readonly refcountOffset?: bigint;
  readonly refcountClusters?: number;
  readonly snapshotCount?: number;
  readonly incompatible?: bigint;
  readonly refcountOrder?: number;
  readonly headerLength?: number;
}

/** The first 4 KiB of a qcow2 file as docs/interop/qcow2.rst of QEMU has them, with one thing or another changed. */
export function aQcow2Header(changes: Header): Uint8Array {
  const head = Buffer.alloc(4096);
  const version = changes.version ?? 3;
  head.writeUInt32BE(changes.magic ?? 0x514649fb, 0);
  head.writeUInt32BE(version, 4);
  if (changes.backingFile !== undefined) {
    head.write(changes.backingFile, 1024, 'latin1');
    head.writeBigUInt64BE(1024n, 8);
    head.writeUInt32BE(changes.backingFile.length, 16);
  }
  if (changes.backingOffset !== undefined) head.writeBigUInt64BE(changes.backingOffset, 8);
  if (changes.backingLength !== undefined) head.writeUInt32BE(changes.backingLength, 16);
  head.writeUInt32BE(changes.clusterBits ?? 16, 20);
  head.writeBigUInt64BE(changes.virtualSize ?? 1_048_576n, 24);
  head.writeUInt32BE(changes.cryptMethod ?? 0, 32);
  head.writeUInt32BE(changes.l1Count ?? 4, 36);
  head.writeBigUInt64BE(changes.l1Offset ?? BigInt(3 * CLUSTER_BYTES), 40);
  head.writeBigUInt64BE(changes.refcountOffset ?? BigInt(CLUSTER_BYTES), 48);
  head.writeUInt32BE(changes.refcountClusters ?? 1, 56);
  head.writeUInt32BE(changes.snapshotCount ?? 0, 60);
  if (version >= 3) {
    head.writeBigUInt64BE(changes.incompatible ?? 0n, 72);
    head.writeUInt32BE(changes.refcountOrder ?? 4, 96);
    head.writeUInt32BE(changes.headerLength ?? 104, 100);
  }
  return head;
}

/** A whole file that passes as an image; `seed` makes its content, and so its hash, differ. */
export function aQcow2File(seed: number, changes: Header = {}): { bytes: Buffer; sha256: string } {
  const bytes = Buffer.alloc(4 * CLUSTER_BYTES, seed & 0xff);
  bytes.set(aQcow2Header(changes), 0);
  bytes.writeUInt32BE(seed, CLUSTER_BYTES * 2);
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
}
