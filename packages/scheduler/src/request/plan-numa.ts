import { cell, type Fleet } from '../fleet/fleet.js';
import { type NodeNeed, nodeFits, shareOf } from './node-share.js';
import type { NumaPlan, NumaShare, PlacementRequest, SmtPolicy } from './placement-request.js';
import { planGuestNodes } from './plan-guest-nodes.js';

export function nodeNeedOf(request: PlacementRequest): NodeNeed {
  const nodeCount = request.numaNodeCount ?? 1;
  return {
    nodeCount,
    cpuCount: request.dedicatedCpuCount / nodeCount,
    smt: request.smt ?? 'prefer',
    memoryBytes: Math.ceil(request.memoryBytes / nodeCount),
    hugePages2MibBytes: Math.ceil(request.hugePages2MibBytes / nodeCount),
    hugePages1GibBytes: Math.ceil(request.hugePages1GibBytes / nodeCount),
  };
}

/**
 * The nodes of a host that a VM would lie on, or null where it does not fit. Of the nodes that fit, those with the least
 * free are taken, so that large holes stay. A VM that asks for no nodes but has CPUs of its own takes them from one node
 * where it can, and otherwise from several.
 */
export function planNuma(fleet: Fleet, index: number, request: PlacementRequest): NumaPlan | null {
  const first = cell(fleet.numa.firstNode, index);
  const end = cell(fleet.numa.firstNode, index + 1);
  if (request.guestNodes !== undefined) return planGuest(fleet, index, request, request.guestNodes.length);
  if (first === end) return (request.numaNodeCount ?? 1) === 1 ? [] : null;
  const threadsPerCore = cell(fleet.numa.threadsPerCore, index);
  const need = nodeNeedOf(request);
  const fitting: number[] = [];
  for (let node = first; node < end; node += 1) if (nodeFits(fleet, node, threadsPerCore, need)) fitting.push(node);
  if (request.numaNodeCount === undefined) return planAnywhere(fleet, index, request, fitting);
  if (fitting.length < need.nodeCount) return null;
  return tightestFirst(fleet, fitting)
    .slice(0, need.nodeCount)
    .sort((left, right) => left - right)
    .map((node) => shareOf(fleet, node - first, node, threadsPerCore, need));
}

/** A host that tells no nodes is for its agent to judge. */
function planGuest(fleet: Fleet, index: number, request: PlacementRequest, guestNodeCount: number): NumaPlan | null {
  if (cell(fleet.numa.firstNode, index) === cell(fleet.numa.firstNode, index + 1)) return [];
  const plan = planGuestNodes(fleet, index, request);
  if (plan !== null || guestNodeCount > 1) return plan;
  return spreadOver(fleet, index, { ...nodeNeedOf(request), memoryBytes: 0 });
}

const tightestFirst = ({ numa }: Fleet, nodes: readonly number[]): number[] =>
  nodes.toSorted(
    (left, right) =>
      cell(numa.cpuCount, left) - cell(numa.cpuCount, right) ||
      cell(numa.memoryBytes, left) - cell(numa.memoryBytes, right) ||
      left - right,
  );

/** Without a wish for nodes, memory may lie anywhere and is not counted per node; CPUs and huge pages are. */
function planAnywhere(
  fleet: Fleet,
  index: number,
  request: PlacementRequest,
  fitting: readonly number[],
): NumaPlan | null {
  if (request.dedicatedCpuCount + request.hugePages2MibBytes + request.hugePages1GibBytes === 0) return [];
  const first = cell(fleet.numa.firstNode, index);
  const threadsPerCore = cell(fleet.numa.threadsPerCore, index);
  const need = { ...nodeNeedOf(request), memoryBytes: 0 };
  const [whole] = tightestFirst(fleet, fitting);
  if (whole !== undefined) return [shareOf(fleet, whole - first, whole, threadsPerCore, need)];
  return spreadOver(fleet, index, need);
}

/** Takes from each node what it has, one after the other, until nothing is missing. */
function spreadOver(fleet: Fleet, index: number, need: NodeNeed): NumaPlan | null {
  const { numa } = fleet;
  const first = cell(numa.firstNode, index);
  const end = cell(numa.firstNode, index + 1);
  const threadsPerCore = cell(numa.threadsPerCore, index);
  const left = { ...need };
  const plan: NumaShare[] = [];
  for (let node = first; node < end; node += 1) {
    const part = {
      ...need,
      cpuCount: Math.min(left.cpuCount, cpusOffered(numa, node, threadsPerCore, need.smt)),
      hugePages2MibBytes: Math.min(left.hugePages2MibBytes, Math.max(0, cell(numa.hugePages2MibBytes, node))),
      hugePages1GibBytes: Math.min(left.hugePages1GibBytes, Math.max(0, cell(numa.hugePages1GibBytes, node))),
    };
    if (part.cpuCount + part.hugePages2MibBytes + part.hugePages1GibBytes === 0) continue;
    plan.push(shareOf(fleet, node - first, node, threadsPerCore, part));
    left.cpuCount -= part.cpuCount;
    left.hugePages2MibBytes -= part.hugePages2MibBytes;
    left.hugePages1GibBytes -= part.hugePages1GibBytes;
  }
  return left.cpuCount + left.hugePages2MibBytes + left.hugePages1GibBytes === 0 ? plan : null;
}

function cpusOffered(numa: Fleet['numa'], node: number, threadsPerCore: number, smt: SmtPolicy): number {
  if (smt === 'prefer') return Math.max(0, cell(numa.cpuCount, node));
  const cores = Math.max(0, cell(numa.wholeCoreCount, node));
  return smt === 'isolate' ? cores : cores * threadsPerCore;
}
