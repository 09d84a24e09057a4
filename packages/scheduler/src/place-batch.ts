import type { Fleet } from './fleet/fleet.js';
import type { HostSet } from './fleet/host-set.js';
import { place } from './place.js';
import type { Placement } from './placement.js';
import { type Trial, tried } from './plan/trial.js';
import { hostsOf, membersByDomain } from './request/group-members.js';
import type { PlacementRequest } from './request/placement-request.js';

/** Domains of an affinity group that are tried, those with most free memory first. */
const DOMAIN_TRY_COUNT_MAX = 64;

export type BatchPlacement = {
  /** `partial` with best effort only. */
  readonly outcome: 'placed' | 'partial' | 'refused';
  /** In the order of the requests. With `refused`, those placed before the first that was refused have no host after all. */
  readonly placements: readonly Placement[];
};

/**
 * Places several VMs so that each counts with those before it. `all-or-nothing`: large ones first, and where a group must stay
 * together, one domain after the other; what was found is an arrangement, what was not found may still exist where hosts are
 * nearly full. `best-effort`: in the order given, each where it fits. Nothing is changed.
 */
export function placeBatch(
  requests: readonly PlacementRequest[],
  fleet: Fleet,
  mode: 'all-or-nothing' | 'best-effort',
): BatchPlacement {
  return tried(fleet, (trial) => {
    if (mode === 'best-effort') return asOutcome(inOrder(trial, requests, given(requests), false), mode);
    let first: (Placement | undefined)[] | null = null;
    for (const order of [largestFirst(requests), given(requests)]) {
      for (const within of placesToTry(requests, fleet)) {
        const found = inOrder(trial, requests, order, true, within);
        if (found.every((placement) => placement?.kind === 'placed')) return asOutcome(found, mode);
        first ??= found;
        trial.rollback();
      }
    }
    return asOutcome(first ?? [], mode);
  });
}

const given = (requests: readonly PlacementRequest[]): number[] => requests.map((_, at) => at);

const largestFirst = (requests: readonly PlacementRequest[]): number[] =>
  given(requests).sort((left, right) => {
    const [a, b] = [requests[left] as PlacementRequest, requests[right] as PlacementRequest];
    return b.memoryBytes - a.memoryBytes || b.vcpuCount - a.vcpuCount || left - right;
  });

type Within = { readonly groupId: string; readonly hosts: HostSet } | null;

function inOrder(
  trial: Trial,
  requests: readonly PlacementRequest[],
  order: readonly number[],
  endsAtRefusal: boolean,
  within: Within = null,
): (Placement | undefined)[] {
  const placements: (Placement | undefined)[] = requests.map(() => undefined);
  for (const at of order) {
    const request = requests[at] as PlacementRequest;
    const isBound = within !== null && request.groupIds?.includes(within.groupId) === true;
    const placement = place(request, trial.fleet, isBound ? { within: within.hosts } : {});
    placements[at] = placement;
    if (placement.kind === 'placed') {
      const vmId = request.vmId ?? `\u0000batch-${at}`;
      trial.vacate(vmId);
      trial.occupy({ vmId, hostId: placement.hostId, request, numa: placement.numa });
    } else if (endsAtRefusal) break;
  }
  return placements;
}

/** First without a wish; then, where a hard affinity group has no member yet, each of its domains. */
function* placesToTry(requests: readonly PlacementRequest[], fleet: Fleet): Generator<Within> {
  yield null;
  const groupIds = new Set(requests.flatMap(({ groupIds: ids = [] }) => ids));
  for (const groupId of [...groupIds].sort()) {
    const group = fleet.rulesOf(groupId).find(({ kind, strength }) => kind === 'affinity' && strength === 'hard');
    if (group === undefined) continue;
    const { domains, countOf } = membersByDomain(group, undefined, fleet);
    if (countOf.size > 0) continue;
    const freeBytes = new Float64Array(domains.names.length);
    for (const [index, domain] of domains.domainOf.entries())
      if (domain >= 0) freeBytes[domain] = (freeBytes[domain] as number) + (fleet.free.memoryBytes[index] as number);
    const order = [...freeBytes.keys()].sort(
      (left, right) => (freeBytes[right] as number) - (freeBytes[left] as number),
    );
    for (const domain of order.slice(0, DOMAIN_TRY_COUNT_MAX)) yield { groupId, hosts: hostsOf(domains, [domain]) };
  }
}

function asOutcome(found: readonly (Placement | undefined)[], mode: 'all-or-nothing' | 'best-effort'): BatchPlacement {
  const placements = found.filter((placement) => placement !== undefined);
  const placedCount = placements.filter(({ kind }) => kind === 'placed').length;
  if (placedCount === found.length) return { outcome: 'placed', placements };
  return { outcome: mode === 'best-effort' && placedCount > 0 ? 'partial' : 'refused', placements };
}
