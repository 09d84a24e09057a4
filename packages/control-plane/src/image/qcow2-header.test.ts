import { DomainError, GIB, MIB } from '@kvorum/schema';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aQcow2Header } from '../../test/world/qcow2.js';
import { parseQcow2Header } from './qcow2-header.js';

const SIZE = 256 * 1024;
const problemOf = (head: Uint8Array, sizeBytes: number | null = SIZE): string => {
  try {
    parseQcow2Header(head, sizeBytes);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'image_invalid') throw error;
    return error.message;
  }
};

describe('a qcow2 header', () => {
  it.each([2, 3])('of version %i is read', (version) => {
    expect(parseQcow2Header(aQcow2Header({ version, virtualSize: BigInt(GIB) }), SIZE)).toEqual({
      virtualSizeBytes: GIB,
    });
  });

  it.each<[string, Parameters<typeof aQcow2Header>[0], RegExp]>([
    ['another magic', { magic: 0x51464900 }, /not a qcow2 file/],
    ['version 1', { version: 1 }, /version 1/],
    ['version 4', { version: 4 }, /version 4/],
    ['a backing file', { backingFile: '/etc/passwd' }, /backing file \(\/etc\/passwd\)/],
    [
      'a backing file named with escape sequences',
      { backingFile: '\x1b]0;x\x07/etc/shadow\0' },
      /backing file \(\/etc\/shadow\)/,
    ],
    ['a backing file beyond the part we read', { backingOffset: 2n ** 63n, backingLength: 10 }, /backing file;/],
    ['a backing file without a length', { backingOffset: 4096n }, /backing file/],
    ['encryption (AES)', { cryptMethod: 1 }, /encrypted/],
    ['encryption (LUKS)', { cryptMethod: 2 }, /encrypted/],
    ['clusters too small', { clusterBits: 8 }, /clusters of 2\^8/],
    ['clusters too large', { clusterBits: 22 }, /clusters of 2\^22/],
    ['clusters absurdly large', { clusterBits: 0xffffffff }, /clusters of/],
    ['no size', { virtualSize: 0n }, /virtual size of 0/],
    ['half a sector', { virtualSize: 1000n }, /virtual size of 1000/],
    ['the largest size there is', { virtualSize: 2n ** 64n - 512n }, /virtual size/],
    ['an L1 table too small for its size', { virtualSize: BigInt(64 * GIB), l1Count: 1 }, /L1 table too small/],
    ['an L1 table without bound', { l1Count: 0xffffffff }, /L1 table of/],
    ['an L1 table at 0', { l1Offset: 0n }, /L1 table at an impossible place/],
    ['an L1 table between clusters', { l1Offset: 65_537n }, /L1 table at an impossible place/],
    ['an L1 table beyond the end', { l1Offset: 65_536n * 100n }, /truncated/],
    ['a refcount table without bound', { refcountClusters: 0xffffffff }, /refcount table of/],
    ['no refcount table', { refcountClusters: 0 }, /no refcount table/],
    ['a refcount table beyond the end', { refcountOffset: 2n ** 63n }, /truncated/],
    ['internal snapshots', { snapshotCount: 1 }, /snapshots/],
    ['the dirty bit', { incompatible: 1n }, /dirty/],
    ['the corrupt bit', { incompatible: 2n }, /corrupt/],
    ['an external data file', { incompatible: 4n }, /external data file/],
    ['extended L2 entries', { incompatible: 16n }, /extended L2/],
    ['an unknown incompatible bit', { incompatible: 32n }, /incompatible bits 0x20/],
    ['the highest incompatible bit', { incompatible: 2n ** 63n }, /incompatible bits 0x8000000000000000/],
    ['reference counts of 128 bits', { refcountOrder: 7 }, /reference counts/],
    ['a header of no length', { headerLength: 0 }, /header of 0/],
    ['a header of great length', { headerLength: 0xfffffff8 }, /header of/],
    ['a header length that is no multiple of 8', { headerLength: 105 }, /header of 105/],
  ])('with %s is refused', (_, changes, problem) => {
    expect(problemOf(aQcow2Header(changes))).toMatch(problem);
  });

  it('accepts zstd compression, which needs no more than a newer QEMU', () => {
    expect(problemOf(aQcow2Header({ incompatible: 8n, headerLength: 112 }))).toBe('accepted');
  });

  it.each([0, 3, 4, 71, 72, 103])('of %i bytes is refused', (length) => {
    expect(problemOf(aQcow2Header({}).subarray(0, length))).toMatch(/not a qcow2 file|ends within its header/);
  });

  it('cannot be made to throw anything but image_invalid by any bytes', () => {
    const head = fc.uint8Array({ maxLength: 200 });
    const withMagic = fc.tuple(fc.constantFrom(2, 3), head).map(([version, bytes]) => {
      const changed = aQcow2Header({ version });
      changed.set(bytes.subarray(0, 96), 8);
      return changed;
    });
    fc.assert(
      fc.property(fc.oneof(head, withMagic), fc.option(fc.nat()), (bytes, sizeBytes) => {
        expect(problemOf(bytes, sizeBytes)).toBeTypeOf('string');
      }),
      { numRuns: 2000 },
    );
  });

  it('only lets facts within their bounds through', () => {
    fc.assert(
      fc.property(
        fc.record({ virtualSize: fc.bigInt(0n, 2n ** 64n - 1n), clusterBits: fc.nat(30), l1Count: fc.nat(5_000_000) }),
        (changes) => {
          const head = aQcow2Header(changes);
          if (problemOf(head, null) !== 'accepted') return;
          const { virtualSizeBytes } = parseQcow2Header(head, null);
          expect(virtualSizeBytes).toBe(Number(changes.virtualSize));
          expect(changes.l1Count * 8).toBeLessThanOrEqual(32 * MIB);
        },
      ),
    );
  });
});
