import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aboveOf, findMergeable, findMergeableUnderTop, findUnused, mergeLayer, ownChain } from './layer-tree.js';

/** `a<b` is: b rests on a. The last one is written; those in `kept` have a snapshot. */
function tree(layers: string, topId: string, kept = '') {
  return {
    topId,
    layers: layers.split(' ').map((text) => {
      const [first = '', second] = text.split('<');
      return second === undefined ? { id: first, parentId: null } : { id: second, parentId: first };
    }),
    snapshots: [...kept].map((layerId) => ({ id: `snapshot of ${layerId}`, layerId, sizeBytes: 1, createdAtMs: 0 })),
  };
}

describe('a layer of a volume', () => {
  it.each([
    ['is needed as the one that is written', tree('a a<b', 'b'), '', null],
    ['is needed by a snapshot', tree('a a<b a<c', 'c', 'b'), '', null],
    ['is needed by another volume', tree('a a<b a<c', 'c'), 'b', null],
    ['is not needed when a revert went around it', tree('a a<b a<c', 'c'), '', 'b'],
    ['is needed by the one above it, which goes first', tree('a a<b b<c a<d', 'd'), '', 'c'],
  ])('%s', (_case, volume, foreign, unused) => {
    expect(findUnused(volume, new Set(foreign))).toBe(unused);
  });

  it.each([
    ['is merged into the one below that nothing keeps', tree('a a<b', 'b'), '', 'b'],
    ['is not merged into one that a snapshot keeps', tree('a a<b', 'b', 'a'), '', null],
    ['is not merged into one that another layer rests on as well', tree('a a<b a<c', 'c', 'b'), '', null],
    ['is not merged into one that another volume rests on', tree('a a<b', 'b'), 'a', null],
    ['is not merged away while another volume rests on it', tree('a a<b b<c', 'c', 'b'), 'b', null],
    ['is not merged into a layer of another volume', tree('x<a', 'a'), '', null],
    ['is merged in the middle too', tree('a a<b b<c c<d', 'd', 'ac'), '', 'c'],
  ])('%s', (_case, volume, foreign, mergeable) => {
    expect(findMergeable(volume, new Set(foreign))).toBe(mergeable);
  });

  it.each([
    ['is merged below the one that is written', tree('a a<b b<c', 'c', 'b'), '', 'b'],
    ['is not merged while it is written, though nothing keeps it apart', tree('a a<b', 'b'), '', null],
    ['is not merged into one that a snapshot keeps', tree('a a<b b<c', 'c', 'ab'), '', null],
    ['is not merged away while another volume rests on it', tree('a a<b b<c', 'c', 'b'), 'b', null],
    ['is not merged beside the chain', tree('a a<x x<y y<z a<b b<c', 'c', 'abyz'), '', null],
    ['of a volume without a top is not merged', { ...tree('a a<b', 'b'), topId: null }, '', null],
  ])('that a VM has open %s', (_case, volume, foreign, mergeable) => {
    expect(findMergeableUnderTop(volume, new Set(foreign))).toBe(mergeable);
  });

  it('has above it what rests on it in the chain that is written, and nothing beside', () => {
    const volume = tree('a a<b b<x b<c', 'c', 'x');
    expect([aboveOf(volume, 'a'), aboveOf(volume, 'b'), aboveOf(volume, 'c'), aboveOf(volume, 'x')]).toEqual([
      'b',
      'c',
      null,
      null,
    ]);
  });

  it('is at most one more than the snapshots and the one that is written, once all that can be was merged', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30), { minLength: 1, maxLength: 60 }), (removals) => {
        let at = tree('l0', 'l0');
        for (const [step, removal] of removals.entries()) {
          const id = `l${step + 1}`;
          const snapshot = { id: `of ${at.topId}`, layerId: at.topId, sizeBytes: 1, createdAtMs: 0 };
          at = {
            topId: id,
            layers: [...at.layers, { id, parentId: at.topId }],
            snapshots: [...at.snapshots, snapshot].filter((_, index) => index !== removal),
          };
          for (let child = findMergeableUnderTop(at, new Set()); child !== null; ) {
            at = mergeLayer(at, child);
            child = findMergeableUnderTop(at, new Set());
          }
          expect(ownChain(at, at.topId).length).toBeLessThanOrEqual(at.snapshots.length + 2);
        }
      }),
    );
  });

  it('lives on under the name of the one it was merged into', () => {
    expect(mergeLayer(tree('a a<b b<c b<d', 'd', 'b'), 'b')).toEqual({
      ...tree('a a<c a<d', 'd'),
      snapshots: [{ id: 'snapshot of b', layerId: 'a', sizeBytes: 1, createdAtMs: 0 }],
    });
    expect(mergeLayer(tree('a a<b', 'b'), 'b')).toEqual(tree('a', 'a'));
  });

  it('is read with those below it, as far as they are the volume’s own', () => {
    expect(ownChain(tree('x<a a<b b<c', 'c'), 'b')).toEqual(['b', 'a']);
  });
});
