import { DomainError, GIB, IMAGE_BYTES_MAX, KIB, MIB } from '@kvorum/schema';
import { cleanLine } from '../plain-text.js';

/**
 * Reads the header of a qcow2 file as docs/interop/qcow2.rst of QEMU lays it out (all numbers big-endian). The file is
 * hostile: QEMU on a host will open it, so everything that could make it read another file (backing file, external data
 * file) or use memory without bound (tables) is refused here, before any host has seen it.
 */
export interface Qcow2Facts {
  readonly virtualSizeBytes: number;
}

/** The header of version 3 has 104 bytes without its optional fields. */
const QCOW2_HEADER_BYTES = 104;
const HEADER_BYTES_V2 = 72;
const HEADER_LENGTH_MAX = 4 * KIB;
const MAGIC = 0x514649fb;
const CLUSTER_BITS_MIN = 9;
const CLUSTER_BITS_MAX = 21;
const L2_ENTRY_BYTES = 8;
/** As QEMU: QCOW_MAX_L1_SIZE and QCOW_MAX_REFTABLE_SIZE in block/qcow2.h. */
const L1_TABLE_BYTES_MAX = 32 * MIB;
const REFCOUNT_TABLE_BYTES_MAX = 8 * MIB;
/** QCOW_MAX_SNAPSHOTS is 65536; an image to start from has no use for any. */
const SNAPSHOT_COUNT_MAX = 0;
const REFCOUNT_ORDER_MAX = 6;
/** RFC of the format: the virtual size need not be whole sectors, but every disk is. */
const SECTOR_BYTES = 512;
const VIRTUAL_SIZE_BYTES_MAX = BigInt(IMAGE_BYTES_MAX);

/** Incompatible feature bits. "Dirty" and "corrupt" mark files that were not closed well or are known to be damaged. */
const INCOMPATIBLE = {
  dirty: 1n << 0n,
  corrupt: 1n << 1n,
  externalData: 1n << 2n,
  compression: 1n << 3n,
  extendedL2: 1n << 4n,
};
const REFUSED_FEATURES: readonly [bit: bigint, problem: string][] = [
  [INCOMPATIBLE.dirty, 'was not closed cleanly (dirty bit); run qemu-img check -r all on it'],
  [INCOMPATIBLE.corrupt, 'is marked as corrupt'],
  [INCOMPATIBLE.externalData, 'keeps its data in another file (external data file)'],
  [INCOMPATIBLE.extendedL2, 'uses extended L2 entries, which are not supported'],
];
const KNOWN_FEATURES = Object.values(INCOMPATIBLE).reduce((all, bit) => all | bit, 0n);
/** Shown of a name found in the file. */
const NAME_LENGTH_MAX = 200;

/**
 * Checks the first bytes of a file, IMAGE_PROBE_BYTES of them or all there are. `sizeBytes`: of the whole file, or null
 * where it is not known yet. Throws image_invalid and nothing else.
 */
export function parseQcow2Header(head: Uint8Array, sizeBytes: number | null): Qcow2Facts {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.byteLength < 4 || view.getUint32(0) !== MAGIC) throw invalid('is not a qcow2 file');
  if (head.byteLength < HEADER_BYTES_V2) throw invalid('ends within its header');
  const version = view.getUint32(4);
  if (version !== 2 && version !== 3) throw invalid(`has version ${version}; 2 and 3 are supported`);
  if (version === 3 && head.byteLength < QCOW2_HEADER_BYTES) throw invalid('ends within its header');
  refuseBackingFile(view, head);
  if (view.getUint32(32) !== 0) throw invalid('is encrypted');
  if (version === 3) checkVersion3(view);
  return checkGeometry(view, sizeBytes);
}

function refuseBackingFile(view: DataView, head: Uint8Array): void {
  const offset = view.getBigUint64(8);
  const length = view.getUint32(16);
  if (offset === 0n && length === 0) return;
  const start = Number(offset);
  const bytes = head.subarray(start, start + Math.min(length, NAME_LENGTH_MAX));
  const name = cleanLine(Buffer.from(bytes).toString('utf8'), NAME_LENGTH_MAX);
  throw invalid(`has a backing file${name === '' ? '' : ` (${name})`}; convert it to a self-contained image first`);
}

function checkVersion3(view: DataView): void {
  const features = view.getBigUint64(72);
  for (const [bit, problem] of REFUSED_FEATURES) if ((features & bit) !== 0n) throw invalid(problem);
  const unknown = features & ~KNOWN_FEATURES;
  if (unknown !== 0n) throw invalid(`needs features that are not known (incompatible bits 0x${unknown.toString(16)})`);
  if (view.getUint32(96) > REFCOUNT_ORDER_MAX) throw invalid('has reference counts of an unknown width');
  const headerLength = view.getUint32(100);
  if (headerLength < QCOW2_HEADER_BYTES || headerLength > HEADER_LENGTH_MAX || headerLength % 8 !== 0) {
    throw invalid(`has a header of ${headerLength} bytes`);
  }
}

function checkGeometry(view: DataView, sizeBytes: number | null): Qcow2Facts {
  const clusterBits = view.getUint32(20);
  if (clusterBits < CLUSTER_BITS_MIN || clusterBits > CLUSTER_BITS_MAX) {
    throw invalid(
      `has clusters of 2^${clusterBits} bytes; 2^${CLUSTER_BITS_MIN} to 2^${CLUSTER_BITS_MAX} are possible`,
    );
  }
  const virtualSize = view.getBigUint64(24);
  if (virtualSize === 0n || virtualSize > VIRTUAL_SIZE_BYTES_MAX || virtualSize % BigInt(SECTOR_BYTES) !== 0n) {
    throw invalid(
      `has a virtual size of ${virtualSize} bytes; whole sectors up to ${IMAGE_BYTES_MAX / GIB} GiB are possible`,
    );
  }
  if (view.getUint32(60) > SNAPSHOT_COUNT_MAX) throw invalid('holds internal snapshots; delete them first');
  const clusterBytes = 2 ** clusterBits;
  // Each L1 entry stands for one L2 table, of one cluster, whose entries stand for one cluster each.
  const l1Needed = Math.ceil(Number(virtualSize) / ((clusterBytes / L2_ENTRY_BYTES) * clusterBytes));
  const l1Count = view.getUint32(36);
  if (l1Count < l1Needed) throw invalid('has an L1 table too small for its virtual size');
  checkTable('L1 table', view.getBigUint64(40), l1Count * L2_ENTRY_BYTES, L1_TABLE_BYTES_MAX, clusterBytes, sizeBytes);
  const refcountBytes = view.getUint32(56) * clusterBytes;
  if (refcountBytes === 0) throw invalid('has no refcount table');
  checkTable('refcount table', view.getBigUint64(48), refcountBytes, REFCOUNT_TABLE_BYTES_MAX, clusterBytes, sizeBytes);
  return { virtualSizeBytes: Number(virtualSize) };
}

function checkTable(
  name: string,
  offset: bigint,
  tableBytes: number,
  tableBytesMax: number,
  clusterBytes: number,
  sizeBytes: number | null,
): void {
  if (tableBytes > tableBytesMax) throw invalid(`has a ${name} of ${tableBytes} bytes; ${tableBytesMax} are possible`);
  if (offset === 0n || offset % BigInt(clusterBytes) !== 0n) throw invalid(`has a ${name} at an impossible place`);
  if (sizeBytes !== null && offset + BigInt(tableBytes) > BigInt(sizeBytes)) {
    throw invalid(`is truncated: its ${name} lies beyond its end`);
  }
}

const invalid = (problem: string): DomainError => new DomainError('image_invalid', `the image ${problem}`);
