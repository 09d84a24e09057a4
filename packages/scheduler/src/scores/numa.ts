import { cell } from '../fleet/fleet.js';
import { nodeFits } from '../request/node-share.js';
import { nodeNeedOf } from '../request/plan-numa.js';
import type { Score } from '../score.js';

/**
 * Fills NUMA nodes up, so that whole nodes stay free: needed / free, with the CPUs that the fullest node
 * that fits has free (memory, for a VM without CPUs of its own). 0 for a VM that asks for no nodes, and on a host that tells none.
 */
export const numaScore: Score = {
  name: 'numa',
  weight: 1,
  bind(request, fleet) {
    if (request.numaNodeCount === undefined) return null;
    const need = nodeNeedOf(request);
    const { firstNode, threadsPerCore } = fleet.numa;
    const column = need.cpuCount > 0 ? fleet.numa.cpuCount : fleet.numa.memoryBytes;
    const needed = need.cpuCount > 0 ? need.cpuCount : need.memoryBytes;
    const of = (index: number): number => {
      let least = Number.POSITIVE_INFINITY;
      const end = cell(firstNode, index + 1);
      for (let node = cell(firstNode, index); node < end; node += 1) {
        const free = cell(column, node);
        if (free < least && nodeFits(fleet, node, cell(threadsPerCore, index), need)) least = free;
      }
      return needed / least;
    };
    return {
      of,
      addTo(totals, hosts, count, weight) {
        for (let at = 0; at < count; at += 1) {
          totals[at] = (totals[at] as number) + weight * of(hosts[at] as number);
        }
      },
    };
  },
};
