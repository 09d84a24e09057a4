import { SCREENSHOT_BYTES_MAX } from '../limits.js';

/** PNG (ISO/IEC 15948) section 5.2: also shows up transfers that changed line ends. */
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] as const;
/** Section 5.3: length, type and CRC of a chunk, four bytes each. */
const CHUNK_FRAME_BYTES = 12;
const HEADER_BYTES = 13;
/** No screen of a VM is larger; a decoder that trusted the header would allocate four bytes per pixel. */
const SIDE_PIXELS_MAX = 16_384;

/**
 * Why the bytes are not one whole PNG file, or null: signature, a header of a sane size first, chunks that fit each other, and nothing
 * behind the end. Pixels are not decoded.
 */
export function pngRefusal(file: Uint8Array): string | null {
  if (file.byteLength > SCREENSHOT_BYTES_MAX) return `is larger than ${SCREENSHOT_BYTES_MAX} bytes`;
  if (SIGNATURE.some((byte, index) => file[index] !== byte)) return 'has not the signature of a PNG file';
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let at: number = SIGNATURE.length;
  for (let index = 0; at + CHUNK_FRAME_BYTES <= file.byteLength; index += 1) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...file.subarray(at + 4, at + 8));
    const end = at + CHUNK_FRAME_BYTES + length;
    if (end > file.byteLength) return 'is cut off';
    if ((index === 0) !== (type === 'IHDR')) return 'does not begin with one header';
    if (type === 'IHDR' && !isSaneHeader(view, at + 8, length)) return 'has a header without sense';
    if (type === 'IEND') return end === file.byteLength ? null : 'goes on behind its end';
    at = end;
  }
  return 'is cut off';
}

function isSaneHeader(view: DataView, at: number, length: number): boolean {
  if (length !== HEADER_BYTES) return false;
  const sides = [view.getUint32(at), view.getUint32(at + 4)];
  return sides.every((side) => side >= 1 && side <= SIDE_PIXELS_MAX);
}
