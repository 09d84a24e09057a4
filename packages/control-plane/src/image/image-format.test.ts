import { describe, expect, it } from 'vitest';
import { detectImageFormat } from './image-format.js';

const head = (at: number, text: string): Buffer => {
  const bytes = Buffer.alloc(4096);
  bytes.write(text, at, 'latin1');
  return bytes;
};

describe('the format of an image', () => {
  it.each([
    ['qcow2', head(0, 'QFI\xfb')],
    ['vdi', head(64, '\x7f\x10\xda\xbe')],
    ['vhdx', head(0, 'vhdxfile')],
    ['vhd', head(0, 'conectix')],
    ['raw', head(510, '\x55\xaa')],
    ['raw', head(1080, '\x53\xef')],
  ])('is %s by its content', (format, bytes) => {
    expect(detectImageFormat(bytes)).toBe(format);
  });

  it('is qcow2 for a qcow2 file with the mark of a boot sector in it', () => {
    const bytes = head(0, 'QFI\xfb');
    bytes.write('\x55\xaa', 510, 'latin1');
    expect(detectImageFormat(bytes)).toBe('qcow2');
  });

  it.each([
    ['gzip', head(0, '\x1f\x8b'), 'compressed (gzip)'],
    ['xz', head(0, '\xfd7zXZ'), 'compressed (xz)'],
    ['zstd', head(0, '\x28\xb5\x2f\xfd'), 'compressed (zstd)'],
    ['bzip2', head(0, 'BZh9'), 'compressed (bzip2)'],
    ['zip', head(0, 'PK\x03\x04'), 'ZIP archive'],
    ['tar', head(257, 'ustar'), 'tar archive'],
    ['a VMDK', head(0, 'KDMV'), 'VMDK'],
    ['a VMDK descriptor', head(0, '# Disk DescriptorFile'), 'VMDK'],
    ['a web page', head(0, '<!DOCTYPE html>'), 'web page'],
    ['zeros', Buffer.alloc(4096), 'no known format'],
    ['nothing', Buffer.alloc(0), 'no known format'],
    ['half a mark', Buffer.from('QF'), 'no known format'],
  ])('is refused for %s, with what to do', (_, bytes, words) => {
    expect(() => detectImageFormat(bytes)).toThrow(expect.objectContaining({ code: 'image_invalid' }));
    expect(() => detectImageFormat(bytes)).toThrow(words);
  });
});
