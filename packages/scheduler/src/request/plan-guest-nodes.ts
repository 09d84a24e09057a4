import { cell, type Fleet } from '../fleet/fleet.js';
import { countNuma, type NumaColumns } from '../fleet/numa-columns.js';
import { type NodeNeed, nodeFits, shareOf } from './node-share.js';
import type { NumaPlan, NumaShare, PlacementRequest } from './placement-request.js';

/** Guest nodes times host nodes is 64 on machines of today: more tries than this only tell of a host that is almost full. */
const TRIES_MAX = 10_000;

/**
 * Host nodes for the NUMA nodes of a guest, one for each, several on one where it has to be; null: no way was found. In the order
 * in which a host's agent tries them, so that it is likely to choose the same: nodes that the VM does not use yet first, and
 * of those the fullest.
 */
export function planGuestNodes({ numa }: Fleet, index: number, request: PlacementRequest): NumaPlan | null {
  const host = nodesOfHost(numa, index);
  const threadsPerCore = cell(host.threadsPerCore, 0);
  const needs = needsOf(request, host);
  const nodes = [...host.memoryBytes.keys()];
  const room = roomBefore(host, needs);
  const shares: NumaShare[] = [];
  let triesLeft = TRIES_MAX;
  const uses = (node: number): number => shares.filter((share) => share.node === node).length;
  const inOrder = (): number[] =>
    nodes.toSorted((left, right) => uses(left) - uses(right) || cell(room, left) - cell(room, right) || left - right);
  const extend = (): boolean => {
    const need = needs[shares.length];
    if (need === undefined) return true;
    for (const node of inOrder()) {
      triesLeft -= 1;
      if (triesLeft < 0) return false;
      if (!nodeFits({ numa: host }, node, threadsPerCore, need)) continue;
      const share = shareOf({ numa: host }, node, node, threadsPerCore, need);
      countNuma(host, 0, [share], -1);
      shares.push(share);
      if (extend()) return true;
      shares.pop();
      countNuma(host, 0, [share], 1);
    }
    return false;
  };
  return extend() ? together(shares) : null;
}

/** The nodes of one host as if there were no other, to be counted in. */
function nodesOfHost(numa: NumaColumns, index: number): NumaColumns {
  const [first, end] = [cell(numa.firstNode, index), cell(numa.firstNode, index + 1)];
  const part = (column: Float64Array): Float64Array => column.slice(first, end);
  return {
    firstNode: Int32Array.of(0, end - first),
    threadsPerCore: Uint8Array.of(cell(numa.threadsPerCore, index)),
    memoryBytes: part(numa.memoryBytes),
    cpuCount: part(numa.cpuCount),
    wholeCoreCount: part(numa.wholeCoreCount),
    hugePages2MibBytes: part(numa.hugePages2MibBytes),
    hugePages1GibBytes: part(numa.hugePages1GibBytes),
  };
}

function needsOf({ guestNodes = [], smt = 'prefer' }: PlacementRequest, host: NumaColumns): NodeNeed[] {
  // Ordinary memory of a guest without nodes of its own is bound to one of the host's where there are several.
  const isBound = guestNodes.length > 1 || host.memoryBytes.length > 1;
  return guestNodes.map((node) => ({
    ...node,
    nodeCount: guestNodes.length,
    smt,
    memoryBytes: isBound ? node.memoryBytes : 0,
  }));
}

/** By what nodes are ordered: of what the VM needs most, how much they had before it. */
function roomBefore(host: NumaColumns, needs: readonly NodeNeed[]): Float64Array {
  const needsAny = (of: (need: NodeNeed) => number): boolean => needs.some((need) => of(need) > 0);
  if (needsAny(({ cpuCount }) => cpuCount)) return host.cpuCount.slice();
  if (needsAny(({ hugePages2MibBytes }) => hugePages2MibBytes)) return host.hugePages2MibBytes.slice();
  if (needsAny(({ hugePages1GibBytes }) => hugePages1GibBytes)) return host.hugePages1GibBytes.slice();
  return host.memoryBytes.slice();
}

/** Nodes are named once each. */
function together(shares: readonly NumaShare[]): NumaPlan {
  const byNode = new Map<number, NumaShare>();
  for (const share of shares) {
    const { node, ...amounts } = byNode.get(share.node) ?? { ...NOTHING, node: share.node };
    byNode.set(node, {
      node,
      cpuCount: amounts.cpuCount + share.cpuCount,
      wholeCoreCount: amounts.wholeCoreCount + share.wholeCoreCount,
      memoryBytes: amounts.memoryBytes + share.memoryBytes,
      hugePages2MibBytes: amounts.hugePages2MibBytes + share.hugePages2MibBytes,
      hugePages1GibBytes: amounts.hugePages1GibBytes + share.hugePages1GibBytes,
    });
  }
  return [...byNode.values()].sort((left, right) => left.node - right.node);
}

const NOTHING = { cpuCount: 0, wholeCoreCount: 0, memoryBytes: 0, hugePages2MibBytes: 0, hugePages1GibBytes: 0 };
