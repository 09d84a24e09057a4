import type { VolumeRecord } from './volume-record.js';

/**
 * QEMU opens a file and walks a table per layer for each cluster that upper layers do not have. 32 keeps both small and is less
 * than the 200 or so at which QEMU itself becomes slow.
 */
export const CHAIN_LENGTH_MAX = 32;
/** Each keeps a layer; one less than the chain may have, for the layer that is written. */
export const SNAPSHOT_COUNT_MAX = CHAIN_LENGTH_MAX - 1;

type Tree = Pick<VolumeRecord, 'layers' | 'topId' | 'snapshots'>;

export const childrenOf = (tree: Tree, layerId: string): string[] =>
  tree.layers.filter(({ parentId }) => parentId === layerId).map(({ id }) => id);

export const parentOf = (tree: Tree, layerId: string): string | null =>
  tree.layers.find(({ id }) => id === layerId)?.parentId ?? null;

/** The layers under and including `layerId` that are the volume's own, top first. What follows belongs to its origin. */
export function ownChain(tree: Tree, layerId: string): string[] {
  const chain: string[] = [];
  let at: string | null = layerId;
  while (at !== null && tree.layers.some(({ id }) => id === at) && !chain.includes(at)) {
    chain.push(at);
    at = parentOf(tree, at);
  }
  return chain;
}

const isKept = (tree: Tree, layerId: string): boolean =>
  tree.topId === layerId || tree.snapshots.some((snapshot) => snapshot.layerId === layerId);

/** A layer that nothing needs: not written, not kept by a snapshot, under no other layer and under no other volume. */
export const findUnused = (tree: Tree, foreign: ReadonlySet<string>): string | null =>
  tree.layers.find(({ id }) => !isKept(tree, id) && !foreign.has(id) && childrenOf(tree, id).length === 0)?.id ?? null;

/**
 * A layer whose content may be written into the one it rests on, because nobody needs that one as it is: no snapshot keeps it, no
 * other layer and no other volume rests on it. And no other volume rests on the layer itself, for its file goes.
 */
export const findMergeable = (tree: Tree, foreign: ReadonlySet<string>): string | null =>
  tree.layers.find(({ id }) => isMergeable(tree, foreign, id))?.id ?? null;

/**
 * As `findMergeable`, of what is read through the top. Never the top itself: what is written while it is merged would make its end
 * one that cannot be told from the files (docs/decisions/0045).
 */
export function findMergeableUnderTop(tree: Tree, foreign: ReadonlySet<string>): string | null {
  const under = tree.topId === null ? [] : ownChain(tree, tree.topId).slice(1);
  return under.find((id) => isMergeable(tree, foreign, id)) ?? null;
}

function isMergeable(tree: Tree, foreign: ReadonlySet<string>, layerId: string): boolean {
  const parentId = parentOf(tree, layerId);
  if (parentId === null || foreign.has(layerId) || foreign.has(parentId) || isKept(tree, parentId)) return false;
  return tree.layers.some(({ id }) => id === parentId) && childrenOf(tree, parentId).length === 1;
}

/** The layer of the top's chain that rests on `layerId`; null: there is none. */
export function aboveOf(tree: Tree, layerId: string): string | null {
  const chain = tree.topId === null ? [] : ownChain(tree, tree.topId);
  return chain[chain.indexOf(layerId) - 1] ?? null;
}

/** The tree once `childId` has become one with the layer that it rests on, which keeps its own id. */
export function mergeLayer<T extends Tree>(tree: T, childId: string): T {
  const baseId = parentOf(tree, childId);
  if (baseId === null) throw new RangeError(`layer ${childId} rests on nothing`);
  const moved = (id: string): string => (id === childId ? baseId : id);
  return {
    ...tree,
    topId: tree.topId === null ? null : moved(tree.topId),
    layers: tree.layers
      .filter(({ id }) => id !== childId)
      .map(({ id, parentId }) => ({ id, parentId: parentId === null ? null : moved(parentId) })),
    snapshots: tree.snapshots.map((snapshot) => ({ ...snapshot, layerId: moved(snapshot.layerId) })),
  };
}
