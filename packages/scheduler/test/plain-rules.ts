import { DIMENSIONS, type HostRow, type PlacedVm, type PlacementGroup } from '../src/index.js';

/** A fleet as plain lists, and the rules once more, as plainly as they can be said: what the engine is compared with. */
export interface PlainFleet {
  readonly rows: readonly HostRow[];
  readonly groups: readonly PlacementGroup[];
  readonly vms: readonly PlacedVm[];
}

const rowOf = (fleet: PlainFleet, hostId: string): HostRow =>
  fleet.rows.find((row) => row.hostId === hostId) as HostRow;

/** `reserved` of the rows is what is taken beside the VMs listed. */
const freeOn = (fleet: PlainFleet, row: HostRow, dimension: (typeof DIMENSIONS)[number]): number =>
  row.capacity[dimension] -
  row.reserved[dimension] -
  fleet.vms.filter((vm) => vm.hostId === row.hostId).reduce((sum, vm) => sum + vm.request[dimension], 0);

const domainOf = (row: HostRow, level: string): string | undefined =>
  level === 'host' ? row.hostId : row.domains?.[level];

const isOpen = (row: HostRow): boolean => row.state === 'active' && row.connectivity === 'connected';

/** How many members each domain has that could take one. */
export function countsOf(fleet: PlainFleet, group: PlacementGroup): Map<string, number> {
  const counts = new Map<string, number>();
  for (const row of fleet.rows) {
    const domain = domainOf(row, group.level);
    if (domain !== undefined && isOpen(row)) counts.set(domain, 0);
  }
  for (const vm of fleet.vms) {
    if (vm.request.groupIds?.includes(group.groupId) !== true) continue;
    const domain = domainOf(rowOf(fleet, vm.hostId), group.level);
    if (domain !== undefined) counts.set(domain, (counts.get(domain) ?? 0) + 1);
  }
  return counts;
}

const openDomains = (fleet: PlainFleet, group: PlacementGroup): Set<string | undefined> =>
  new Set(fleet.rows.filter(isOpen).map((row) => domainOf(row, group.level)));

const leastOf = (fleet: PlainFleet, group: PlacementGroup, counts: Map<string, number>): number => {
  const open = openDomains(fleet, group);
  return Math.min(...[...counts].filter(([name]) => open.has(name)).map(([, count]) => count));
};

export const skewOf = (fleet: PlainFleet, group: PlacementGroup): number => {
  const counts = countsOf(fleet, group);
  return Math.max(0, ...counts.values()) - Math.min(leastOf(fleet, group, counts), Number.MAX_SAFE_INTEGER);
};

function keepsGroup(fleet: PlainFleet, group: PlacementGroup, row: HostRow): boolean {
  const counts = countsOf(fleet, group);
  const domain = domainOf(row, group.level);
  const here = domain === undefined ? undefined : (counts.get(domain) ?? 0);
  const members = [...counts.values()].reduce((sum, count) => sum + count, 0);
  if (group.kind === 'affinity') return members === 0 || (here ?? 0) > 0;
  if (here === undefined) return false;
  return group.kind === 'anti-affinity' ? here === 0 : here + 1 <= leastOf(fleet, group, counts) + (group.skewMax ?? 1);
}

/** Whether a VM that is nowhere in the fleet may go to the host. Without NUMA nodes and SMT. */
export function mayGo(fleet: PlainFleet, request: PlacedVm['request'], hostId: string): boolean {
  const row = rowOf(fleet, hostId);
  const has = (wanted: readonly string[] | undefined, offered: Iterable<string> | undefined): boolean =>
    (wanted ?? []).every((one) => [...(offered ?? [])].includes(one));
  return (
    isOpen(row) &&
    row.accelerator !== null &&
    (request.accelerator === null || request.accelerator === row.accelerator) &&
    (request.hostId === null || request.hostId === hostId) &&
    !request.excludedHostIds.includes(hostId) &&
    has(request.requiredTraits, row.traits) &&
    !(request.forbiddenTraits ?? []).some((trait) => [...(row.traits ?? [])].includes(trait)) &&
    has(request.networkIds, row.networkIds) &&
    has(request.storagePoolIds, row.storagePoolIds) &&
    has(request.cpuBaseline === undefined ? [] : [request.cpuBaseline], row.cpuBaselines) &&
    (request.needsNestedVirtualisation !== true || row.nestsVms === true) &&
    Object.entries(request.domains ?? {}).every(([level, names]) => names.includes(domainOf(row, level) ?? '')) &&
    DIMENSIONS.every((dimension) => freeOn(fleet, row, dimension) >= request[dimension]) &&
    (request.groupIds ?? []).every((groupId) => {
      const group = fleet.groups.find((one) => one.groupId === groupId) as PlacementGroup;
      return group.strength === 'soft' || keepsGroup(fleet, group, row);
    })
  );
}

/** The fleet with the VMs moved together, or what speaks against it. */
export function moveTogether(fleet: PlainFleet, vmIds: readonly string[], to: string): PlainFleet | string {
  const movers = fleet.vms.filter(({ vmId }) => vmIds.includes(vmId));
  let after: PlainFleet = { ...fleet, vms: fleet.vms.filter(({ vmId }) => !vmIds.includes(vmId)) };
  for (const vm of movers) {
    if (!mayGo(after, { ...vm.request, hostId: null, excludedHostIds: [] }, to))
      return `${vm.vmId} may not go to ${to}`;
    after = { ...after, vms: [...after.vms, { ...vm, hostId: to }] };
  }
  for (const group of fleet.groups) {
    if (group.kind !== 'spread' || group.strength !== 'hard') continue;
    if (skewOf(after, group) > Math.max(group.skewMax ?? 1, skewOf(fleet, group)))
      return `${group.groupId} is too uneven`;
  }
  return after;
}

/** VMs that a hard rule binds to one host, the VM itself included. */
export function boundWith(fleet: PlainFleet, vm: PlacedVm): string[] {
  const bound = new Set([vm.vmId]);
  for (let size = 0; size !== bound.size; ) {
    size = bound.size;
    for (const group of fleet.groups) {
      if (group.kind !== 'affinity' || group.strength !== 'hard' || group.level !== 'host') continue;
      const members = fleet.vms.filter(
        (one) => one.hostId === vm.hostId && one.request.groupIds?.includes(group.groupId) === true,
      );
      if (members.some(({ vmId }) => bound.has(vmId))) for (const { vmId } of members) bound.add(vmId);
    }
  }
  return [...bound];
}

/** Whether any order of moves empties the host: every state that can be reached is looked at. */
export function canBeEmptied(start: PlainFleet, hostId: string): boolean {
  const keyOf = (fleet: PlainFleet): string =>
    fleet.vms
      .map((vm) => `${vm.vmId}@${vm.hostId}`)
      .sort()
      .join();
  const seen = new Set([keyOf(start)]);
  const queue = [start];
  for (const fleet of queue) {
    if (!fleet.vms.some((vm) => vm.hostId === hostId)) return true;
    for (const vm of fleet.vms) {
      for (const row of fleet.rows) {
        if (row.hostId === vm.hostId || row.hostId === hostId) continue;
        const next = moveTogether(fleet, boundWith(fleet, vm), row.hostId);
        if (typeof next === 'string' || seen.has(keyOf(next))) continue;
        seen.add(keyOf(next));
        queue.push(next);
      }
    }
  }
  return false;
}
