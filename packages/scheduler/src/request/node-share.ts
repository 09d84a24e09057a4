import { cell, type Fleet } from '../fleet/fleet.js';
import { takenCpuCount } from '../fleet/taken-amounts.js';
import type { NumaShare, SmtPolicy } from './placement-request.js';

/** What each of the nodes that a VM is split over must have. */
export interface NodeNeed {
  readonly nodeCount: number;
  readonly cpuCount: number;
  readonly smt: SmtPolicy;
  readonly memoryBytes: number;
  readonly hugePages2MibBytes: number;
  readonly hugePages1GibBytes: number;
}

/** `node` counts over all hosts. */
export function nodeFits({ numa }: Pick<Fleet, 'numa'>, node: number, threadsPerCore: number, need: NodeNeed): boolean {
  return (
    cell(numa.memoryBytes, node) >= need.memoryBytes &&
    hasCpus(numa, node, threadsPerCore, need) &&
    cell(numa.hugePages2MibBytes, node) >= need.hugePages2MibBytes &&
    cell(numa.hugePages1GibBytes, node) >= need.hugePages1GibBytes
  );
}

function hasCpus(numa: Fleet['numa'], node: number, threadsPerCore: number, { cpuCount, smt }: NodeNeed): boolean {
  if (smt === 'prefer') return cell(numa.cpuCount, node) >= cpuCount;
  const coreCount = smt === 'isolate' ? cpuCount : Math.ceil(cpuCount / threadsPerCore);
  // Both: after VMs that shared a core have gone, counts alone may show more whole cores than there are free threads.
  return cell(numa.wholeCoreCount, node) >= coreCount && cell(numa.cpuCount, node) >= coreCount * threadsPerCore;
}

export function shareOf(
  fleet: Pick<Fleet, 'numa'>,
  offset: number,
  node: number,
  threadsPerCore: number,
  need: NodeNeed,
): NumaShare {
  const { numa } = fleet;
  const cpuCount = takenCpuCount(need.cpuCount, need.smt, threadsPerCore);
  return {
    node: offset,
    cpuCount,
    wholeCoreCount: wholeCoresTaken(
      cpuCount,
      cell(numa.cpuCount, node),
      cell(numa.wholeCoreCount, node),
      threadsPerCore,
    ),
    memoryBytes: need.memoryBytes,
    hugePages2MibBytes: need.hugePages2MibBytes,
    hugePages1GibBytes: need.hugePages1GibBytes,
  };
}

/** Pairs of threads come from whole cores while there are some; a thread over takes a half core first, and else breaks one. */
function wholeCoresTaken(
  cpuCount: number,
  freeCpuCount: number,
  freeCoreCount: number,
  threadsPerCore: number,
): number {
  const full = Math.min(Math.floor(cpuCount / threadsPerCore), freeCoreCount);
  const rest = cpuCount - full * threadsPerCore;
  const halves = Math.max(0, freeCpuCount - freeCoreCount * threadsPerCore);
  return full + Math.max(0, rest - halves);
}
