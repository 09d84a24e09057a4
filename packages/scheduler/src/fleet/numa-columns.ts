import type { NumaPlan } from '../request/placement-request.js';
import type { HostRow, NumaNodeFree } from './host-row.js';

/** The NUMA nodes of all hosts one after the other; those of host i are `firstNode[i]` up to, not including, `firstNode[i + 1]`. */
export interface NumaColumns {
  readonly firstNode: Int32Array;
  readonly threadsPerCore: Uint8Array;
  readonly memoryBytes: Float64Array;
  readonly cpuCount: Float64Array;
  readonly wholeCoreCount: Float64Array;
  readonly hugePages2MibBytes: Float64Array;
  readonly hugePages1GibBytes: Float64Array;
}

export function numaColumnsOf(rows: readonly HostRow[]): NumaColumns {
  const firstNode = new Int32Array(rows.length + 1);
  for (const [index, row] of rows.entries()) {
    firstNode[index + 1] = (firstNode[index] as number) + (row.numaNodes?.length ?? 0);
  }
  const length = firstNode[rows.length] as number;
  const columns: NumaColumns = {
    firstNode,
    threadsPerCore: new Uint8Array(rows.length),
    memoryBytes: new Float64Array(length),
    cpuCount: new Float64Array(length),
    wholeCoreCount: new Float64Array(length),
    hugePages2MibBytes: new Float64Array(length),
    hugePages1GibBytes: new Float64Array(length),
  };
  for (const [index, row] of rows.entries()) writeNuma(columns, index, row);
  return columns;
}

/** The row must have as many nodes as the columns were made for. */
export function writeNuma(columns: NumaColumns, index: number, row: HostRow): void {
  const threadsPerCore = row.threadsPerCore ?? 1;
  columns.threadsPerCore[index] = threadsPerCore;
  const first = columns.firstNode[index] as number;
  for (const [offset, node] of (row.numaNodes ?? []).entries()) {
    const at = first + offset;
    columns.memoryBytes[at] = node.memoryBytes;
    columns.cpuCount[at] = node.dedicatedCpuCount;
    columns.wholeCoreCount[at] = wholeCoresOf(node, threadsPerCore);
    columns.hugePages2MibBytes[at] = node.hugePages2MibBytes;
    columns.hugePages1GibBytes[at] = node.hugePages1GibBytes;
  }
}

/** The reverse of `writeNuma`. */
export function nodesOf(columns: NumaColumns, index: number): NumaNodeFree[] {
  const nodes: NumaNodeFree[] = [];
  const end = columns.firstNode[index + 1] as number;
  for (let at = columns.firstNode[index] as number; at < end; at += 1) {
    nodes.push({
      memoryBytes: columns.memoryBytes[at] as number,
      dedicatedCpuCount: columns.cpuCount[at] as number,
      wholeCoreCount: columns.wholeCoreCount[at] as number,
      hugePages2MibBytes: columns.hugePages2MibBytes[at] as number,
      hugePages1GibBytes: columns.hugePages1GibBytes[at] as number,
    });
  }
  return nodes;
}

const wholeCoresOf = (node: NumaNodeFree, threadsPerCore: number): number =>
  node.wholeCoreCount ?? Math.floor(node.dedicatedCpuCount / threadsPerCore);

/** Takes (sign -1) or gives back (sign 1) what a VM has on the nodes of its host. */
export function countNuma(columns: NumaColumns, index: number, plan: NumaPlan, sign: 1 | -1): void {
  const first = columns.firstNode[index] as number;
  for (const share of plan) {
    const at = first + share.node;
    if (at >= (columns.firstNode[index + 1] as number)) continue;
    columns.memoryBytes[at] = (columns.memoryBytes[at] as number) + sign * share.memoryBytes;
    columns.cpuCount[at] = (columns.cpuCount[at] as number) + sign * share.cpuCount;
    columns.wholeCoreCount[at] = (columns.wholeCoreCount[at] as number) + sign * share.wholeCoreCount;
    columns.hugePages2MibBytes[at] = (columns.hugePages2MibBytes[at] as number) + sign * share.hugePages2MibBytes;
    columns.hugePages1GibBytes[at] = (columns.hugePages1GibBytes[at] as number) + sign * share.hugePages1GibBytes;
  }
}
