import type { Filter } from '../filter.js';
import { cell } from '../fleet/fleet.js';
import { nodeFits } from '../request/node-share.js';
import { nodeNeedOf, planNuma } from '../request/plan-numa.js';
import { bindGuestNodes } from './numa-guest-nodes.js';
import { keepAdmitted } from './smt.js';

/**
 * As many NUMA nodes of the host as the request asks for have, each, their even share of memory, dedicated CPUs and huge
 * pages. A host that tells no nodes counts as one node. A VM that asks for no nodes but for CPUs of its own or huge pages
 * may take them from any nodes.
 */
export const numa: Filter = {
  name: 'numa',
  bind(request, fleet) {
    if (request.guestNodes !== undefined) return bindGuestNodes(request, request.guestNodes, fleet);
    const setAside = request.dedicatedCpuCount + request.hugePages2MibBytes + request.hugePages1GibBytes;
    if (request.numaNodeCount === undefined && setAside === 0) return null;
    const need = nodeNeedOf(request);
    const { firstNode, threadsPerCore } = fleet.numa;
    const nodeCount = (index: number) => Math.max(1, cell(firstNode, index + 1) - cell(firstNode, index));
    const fittingCount = (index: number): number => {
      let count = 0;
      for (let node = cell(firstNode, index); node < cell(firstNode, index + 1); node += 1) {
        if (nodeFits(fleet, node, cell(threadsPerCore, index), need)) count += 1;
      }
      return count;
    };
    const admits = (index: number): boolean => {
      if (cell(firstNode, index + 1) === cell(firstNode, index)) return need.nodeCount === 1;
      if (fittingCount(index) >= need.nodeCount) return true;
      return request.numaNodeCount === undefined && planNuma(fleet, index, request) !== null;
    };
    const hasFew = (index: number) => nodeCount(index) < need.nodeCount;
    return {
      restrict: (hosts) => keepAdmitted(hosts, admits),
      admits,
      countedAs: (index) =>
        hasFew(index) ? `with fewer than ${need.nodeCount} NUMA nodes` : 'short of room in their NUMA nodes',
      reason: (index) =>
        hasFew(index)
          ? `the host has ${nodeCount(index)} of the ${need.nodeCount} NUMA nodes needed`
          : `${need.nodeCount} NUMA nodes with room needed, ${fittingCount(index)} have it`,
      distance: (index) => (hasFew(index) ? 2 : 1 - fittingCount(index) / (need.nodeCount + 1)),
      change: (index) =>
        hasFew(index)
          ? `ask for ${nodeCount(index)} NUMA nodes`
          : `room on ${need.nodeCount - fittingCount(index)} more NUMA nodes of ${fleet.names[index]}`,
      ...(request.numaNodeCount === undefined ? {} : { dropped: 'do not ask for NUMA nodes' }),
    };
  },
};
