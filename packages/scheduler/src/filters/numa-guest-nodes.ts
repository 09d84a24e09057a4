import type { BoundFilter } from '../filter.js';
import { cell, type Fleet } from '../fleet/fleet.js';
import { formatBytes } from '../format-bytes.js';
import type { PlacementRequest } from '../request/placement-request.js';
import { planNuma } from '../request/plan-numa.js';
import { keepAdmitted } from './smt.js';

type GuestNodes = NonNullable<PlacementRequest['guestNodes']>;

/** Each NUMA node of the guest finds a node of the host with room. A host that tells no nodes is not judged. */
export function bindGuestNodes(request: PlacementRequest, guestNodes: GuestNodes, fleet: Fleet): BoundFilter {
  const admits = (index: number): boolean => planNuma(fleet, index, request) !== null;
  return {
    restrict: (hosts) => keepAdmitted(hosts, admits),
    admits,
    countedAs: () => 'short of room in their NUMA nodes',
    reason: (index) =>
      `no node of the host has room for ${needOf(request, guestNodes)}; free are ${freeOf(fleet, index)}`,
    distance: () => 0.5,
    change: (index) => `room for ${needOf(request, guestNodes)} in the NUMA nodes of ${fleet.names[index]}`,
    ...(guestNodes.length > 1 ? { dropped: 'ask for other NUMA nodes' } : {}),
  };
}

/** What is asked for alone: a VM without huge pages does not hear of them. */
const DIMENSIONS = [
  ['cpuCount', (count: number) => `${count} CPUs`],
  ['memoryBytes', (bytes: number, rounding: 'up' | 'down') => `${formatBytes(bytes, rounding)}`],
  [
    'hugePages2MibBytes',
    (bytes: number, rounding: 'up' | 'down') => `${formatBytes(bytes, rounding)} in pages of 2 MiB`,
  ],
  [
    'hugePages1GibBytes',
    (bytes: number, rounding: 'up' | 'down') => `${formatBytes(bytes, rounding)} in pages of 1 GiB`,
  ],
] as const;

function needOf({ smt }: PlacementRequest, guestNodes: GuestNodes): string {
  const texts = guestNodes.map((node) =>
    DIMENSIONS.flatMap(([name, format]) => (node[name] > 0 ? [format(node[name], 'up')] : [])).join(' and '),
  );
  const nodes = [...new Set(texts)].map((text) => {
    const count = texts.filter((other) => other === text).length;
    return `${count} node${count === 1 ? '' : 's'} of ${text}`;
  });
  return `${nodes.join(' and ')}${smt === 'isolate' || smt === 'require' ? ', in whole cores' : ''}`;
}

function freeOf({ numa }: Fleet, index: number): string {
  const first = cell(numa.firstNode, index);
  const nodes: string[] = [];
  for (let node = first; node < cell(numa.firstNode, index + 1); node += 1) {
    const amounts = DIMENSIONS.flatMap(([name, format]) => {
      const amount = Math.max(0, cell(numa[name], node));
      return amount > 0 || name === 'cpuCount' ? [format(amount, 'down')] : [];
    });
    const cores =
      numa.threadsPerCore[index] === 1 ? '' : ` (${Math.max(0, cell(numa.wholeCoreCount, node))} whole cores)`;
    nodes.push(`${amounts.join(', ')}${cores} on node ${node - first}`);
  }
  return nodes.join('; ');
}
