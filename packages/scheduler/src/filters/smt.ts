import type { Filter } from '../filter.js';
import { cell, type Fleet } from '../fleet/fleet.js';
import { dropHost, type HostSet, hasHost, membersOf } from '../fleet/host-set.js';
import { LABEL } from '../fleet/labels.js';
import { takenCpuCount } from '../fleet/taken-amounts.js';

/** Whole cores for the VM's CPUs, where its SMT policy asks for them. Which NUMA nodes they are of is the next filter's. */
export const smt: Filter = {
  name: 'smt',
  bind({ smt: policy = 'prefer', dedicatedCpuCount }, fleet) {
    if (policy === 'prefer' || dedicatedCpuCount === 0) return null;
    const withSmt = fleet.labels.of(LABEL.smt);
    const lacksSmt = (index: number) => policy === 'require' && !hasHost(withSmt, index);
    const coresNeeded = (index: number) => {
      const threadsPerCore = cell(fleet.numa.threadsPerCore, index);
      return takenCpuCount(dedicatedCpuCount, policy, threadsPerCore) / threadsPerCore;
    };
    const missing = (index: number) => coresNeeded(index) - wholeCoresFree(fleet, index);
    const admits = (index: number) => !lacksSmt(index) && missing(index) <= 0;
    return {
      restrict: (hosts) => keepAdmitted(hosts, admits),
      admits,
      countedAs: (index) => (lacksSmt(index) ? 'without SMT' : 'short of whole cores'),
      reason: (index) =>
        lacksSmt(index)
          ? 'the host has no SMT, or it is off'
          : `${coresNeeded(index)} whole cores needed, ${wholeCoresFree(fleet, index)} free`,
      distance: (index) => (lacksSmt(index) ? 2 : Math.min(1, missing(index) / coresNeeded(index))),
      change: (index) =>
        lacksSmt(index)
          ? `turn on SMT of ${fleet.names[index]}`
          : `${missing(index)} more of whole cores on ${fleet.names[index]}`,
      dropped: "use SMT policy 'prefer'",
    };
  },
};

/** Cores of which no VM has a thread. Of a host that tells no NUMA nodes: as many as its free threads allow. */
export function wholeCoresFree(fleet: Fleet, index: number): number {
  const { numa } = fleet;
  const threadsPerCore = cell(numa.threadsPerCore, index);
  const ofThreads = Math.max(0, Math.floor(cell(fleet.free.dedicatedCpuCount, index) / threadsPerCore));
  const first = cell(numa.firstNode, index);
  const end = cell(numa.firstNode, index + 1);
  if (first === end) return ofThreads;
  let cores = 0;
  for (let node = first; node < end; node += 1) {
    const inThreads = Math.floor(cell(numa.cpuCount, node) / threadsPerCore);
    cores += Math.max(0, Math.min(cell(numa.wholeCoreCount, node), inThreads));
  }
  return Math.min(cores, ofThreads);
}

/** For rules that must look at each host. */
export function keepAdmitted(hosts: HostSet, admits: (index: number) => boolean): void {
  for (const index of membersOf(hosts)) if (!admits(index)) dropHost(hosts, index);
}
