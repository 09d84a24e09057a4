import { bindLabelFilters } from './bind-rules.js';
import type { Fleet } from './fleet/fleet.js';
import { fillHosts, type HostSet, hostSetOf } from './fleet/host-set.js';
import type { LabelSets } from './fleet/labels.js';
import type { PlacementRequest } from './request/placement-request.js';

/** Kinds of request that are remembered; few differ in anything but amounts. */
const KIND_COUNT_MAX = 512;

interface Remembered {
  version: number;
  readonly sets: Map<string, HostSet>;
}

const remembered = new WeakMap<LabelSets, Remembered>();

/** To be read only: the hosts that every rule about what a host is admits. Kept until some host is another than it was. */
export function hostsByLabels(request: PlacementRequest, fleet: Fleet): HostSet {
  const { labels } = fleet;
  let kept = remembered.get(labels);
  if (kept === undefined) {
    kept = { version: labels.version, sets: new Map() };
    remembered.set(labels, kept);
  }
  if (kept.version !== labels.version || kept.sets.size >= KIND_COUNT_MAX) {
    kept.sets.clear();
    kept.version = labels.version;
  }
  const kind = kindOf(request);
  let hosts = kept.sets.get(kind);
  if (hosts === undefined) {
    hosts = hostSetOf(fleet.hostCount);
    fillHosts(hosts, fleet.hostCount);
    for (const filter of bindLabelFilters(request, fleet)) filter.restrict(hosts);
    kept.sets.set(kind, hosts);
  }
  return hosts;
}

/** All that the label filters read of a request. */
function kindOf(request: PlacementRequest): string {
  const { accelerator, cpuBaseline, requiredTraits, forbiddenTraits, needsNestedVirtualisation } = request;
  const { domains, hostGroupId, storagePoolIds, networkIds } = request;
  return JSON.stringify({
    accelerator,
    cpuBaseline,
    requiredTraits,
    forbiddenTraits,
    needsNestedVirtualisation,
    domains,
    hostGroupId,
    storagePoolIds,
    networkIds,
  });
}
