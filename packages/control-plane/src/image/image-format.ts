import { DomainError, type ImageSourceFormat, KIB } from '@kvorum/schema';

/** Of the first bytes of a file: enough for a qcow2 header with its extensions, as qemu-img lays them out. */
export const IMAGE_PROBE_BYTES = 4 * KIB;

interface Signature<Found> {
  readonly at: number;
  readonly bytes: Buffer;
  readonly found: Found;
}
const signature = <Found>(at: number, bytes: string | readonly number[], found: Found): Signature<Found> => ({
  at,
  bytes: typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes),
  found,
});

/**
 * By content alone: a name ending proves nothing, and QEMU's own guess would let a raw disk become whatever its guest writes
 * to its first sector. Order matters: a disk's boot sector comes last. Sources: docs/interop/qcow2.rst, block/vdi.c and
 * block/vpc.c of QEMU, MS-VHDX 2.2, UEFI 5.2 (protective MBR), Documentation/filesystems/ext4 of Linux.
 */
const FORMATS: readonly Signature<ImageSourceFormat>[] = [
  signature(0, 'QFI\xfb', 'qcow2'),
  signature(64, [0x7f, 0x10, 0xda, 0xbe], 'vdi'),
  signature(0, 'vhdxfile', 'vhdx'),
  signature(0, 'conectix', 'vhd'),
  signature(510, [0x55, 0xaa], 'raw'),
  signature(1080, [0x53, 0xef], 'raw'),
];

/** What people send by mistake, or with something left to do. */
const REFUSED: readonly Signature<string>[] = [
  signature(0, [0x1f, 0x8b], 'is compressed (gzip): unpack it first'),
  signature(0, [0xfd, ...Buffer.from('7zXZ')], 'is compressed (xz): unpack it first'),
  signature(0, [0x28, 0xb5, 0x2f, 0xfd], 'is compressed (zstd): unpack it first'),
  signature(0, 'BZh', 'is compressed (bzip2): unpack it first'),
  signature(0, 'PK\x03\x04', 'is a ZIP archive: unpack it first'),
  signature(257, 'ustar', 'is a tar archive: unpack it first'),
  // Its descriptor names other files, which QEMU would open.
  signature(0, 'KDMV', 'is a VMDK, which can draw in other files: convert it with `qemu-img convert -O qcow2` first'),
  signature(0, '# Disk Desc', 'is the descriptor of a VMDK: convert the disk with `qemu-img convert -O qcow2` first'),
  signature(0, '<!', 'is a web page'),
  signature(0, '<html', 'is a web page'),
  signature(0, '<?xml', 'is an XML file'),
];

const matches = (head: Uint8Array, { at, bytes }: Signature<unknown>): boolean =>
  head.byteLength >= at + bytes.byteLength && bytes.equals(head.subarray(at, at + bytes.byteLength));

/** `head`: the first IMAGE_PROBE_BYTES of the file, or all there are. Throws image_invalid. */
export function detectImageFormat(head: Uint8Array): ImageSourceFormat {
  const refusal = REFUSED.find((entry) => matches(head, entry));
  if (refusal !== undefined) throw new DomainError('image_invalid', `the image ${refusal.found}`);
  const known = FORMATS.find((entry) => matches(head, entry));
  if (known?.found === 'vhd' && isDifferencing(head)) {
    throw new DomainError('image_invalid', 'the image rests on another disk (differencing VHD): merge it first');
  }
  if (known !== undefined) return known.found;
  const message = 'the image is in no known format: not qcow2, vdi, vhdx, vhd, and no disk with a boot sector either';
  throw new DomainError('image_invalid', message);
}

/** Disk type 4 in the footer's copy at the start (Virtual Hard Disk Image Format Specification). QEMU would read its holes as zeros. */
function isDifferencing(head: Uint8Array): boolean {
  const [typeAt, differencing] = [60, 4];
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  return head.byteLength >= typeAt + 4 && view.getUint32(typeAt) === differencing;
}
