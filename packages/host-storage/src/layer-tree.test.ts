import { describe, expect, it } from 'vitest';
import { findMergeable, findUnused, mergeLayer, ownChain } from './layer-tree.js';

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
