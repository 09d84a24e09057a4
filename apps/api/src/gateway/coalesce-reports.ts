import type { HostReport, VmReport } from '@kvorum/schema/agent-wire';

/**
 * Two reports of one host as one, for when they come faster than they can be stored. The newer wins per VM; a full report
 * replaces all VMs that came before it; facts, capacity, pools and templates stay until newer ones come. Storing the result is the same as
 * storing both in their order.
 */
export function coalesceReports(older: HostReport, newer: HostReport): HostReport {
  const kept: HostReport = {
    ...newer,
    facts: newer.facts ?? older.facts,
    capacity: newer.capacity ?? older.capacity,
    pools: newer.pools ?? older.pools,
    templates: newer.templates ?? older.templates,
    address: newer.address === '' ? older.address : newer.address,
    agentVersion: newer.agentVersion === '' ? older.agentVersion : newer.agentVersion,
  };
  if (newer.isFull) return kept;
  const vms = new Map<string, VmReport>(older.vms.map((vm) => [vm.vmId, vm]));
  for (const vm of newer.vms) {
    const before = vms.get(vm.vmId);
    if (before === undefined || before.reportGeneration <= vm.reportGeneration) vms.set(vm.vmId, vm);
  }
  return { ...kept, isFull: older.isFull, vms: [...vms.values()] };
}
