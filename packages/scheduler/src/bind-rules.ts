import type { BoundFilter, Filter } from './filter.js';
import { accelerator } from './filters/accelerator.js';
import { affinity } from './filters/affinity.js';
import { antiAffinity } from './filters/anti-affinity.js';
import { capacityDedicatedCpus } from './filters/capacity-dedicated-cpus.js';
import { capacityDisk } from './filters/capacity-disk.js';
import { capacityHugePages1Gib } from './filters/capacity-huge-pages-1gib.js';
import { capacityHugePages2Mib } from './filters/capacity-huge-pages-2mib.js';
import { capacityMemory } from './filters/capacity-memory.js';
import { capacityVcpus } from './filters/capacity-vcpus.js';
import { connectivity } from './filters/connectivity.js';
import { cpuBaseline } from './filters/cpu-baseline.js';
import { domains } from './filters/domains.js';
import { excluded } from './filters/excluded.js';
import { hostGroup } from './filters/host-group.js';
import { hostState } from './filters/host-state.js';
import { nestedVirtualisation } from './filters/nested-virtualisation.js';
import { networks } from './filters/networks.js';
import { numa } from './filters/numa.js';
import { requestedHost } from './filters/requested-host.js';
import { smt } from './filters/smt.js';
import { spread } from './filters/spread.js';
import { storagePools } from './filters/storage-pools.js';
import { traits } from './filters/traits.js';
import type { Fleet } from './fleet/fleet.js';
import type { FilterName, PlacementScore } from './placement.js';
import type { PlacementRequest } from './request/placement-request.js';
import type { BoundScore, Score } from './score.js';
import { acceleratorScore } from './scores/accelerator.js';
import { balance } from './scores/balance.js';
import { fill } from './scores/fill.js';
import { numaScore } from './scores/numa.js';
import { softRules } from './scores/soft-rules.js';

/**
 * What a person decided comes before what the host has: "cordoned" is a better answer than "short of memory". Rules that are
 * sets come before those that read numbers, which then read fewer.
 */
const FILTERS: readonly Filter[] = [
  requestedHost,
  excluded,
  hostState,
  connectivity,
  accelerator,
  cpuBaseline,
  traits,
  nestedVirtualisation,
  domains,
  hostGroup,
  storagePools,
  networks,
  affinity,
  antiAffinity,
  spread,
  capacityVcpus,
  capacityMemory,
  capacityDisk,
  capacityDedicatedCpus,
  capacityHugePages2Mib,
  capacityHugePages1Gib,
  smt,
  numa,
];
const SCORES: readonly Score[] = [acceleratorScore, fill, balance, softRules, numaScore];

export type NamedFilter = BoundFilter & { readonly name: FilterName };

export const bindFilters = (request: PlacementRequest, fleet: Fleet): NamedFilter[] =>
  bindThese(FILTERS, request, fleet);

export function bindThese(rules: readonly Filter[], request: PlacementRequest, fleet: Fleet): NamedFilter[] {
  const filters: NamedFilter[] = [];
  for (const { name, bind } of rules) {
    const bound = bind(request, fleet);
    if (bound !== null) filters.push({ name, ...bound });
  }
  return filters;
}

export interface BoundScores {
  /** Writes the totals of the first `count` hosts. Candidates are ordered by them. */
  writeTotals(totals: Float64Array, hosts: Int32Array, count: number): void;
  /** The total of one host, with its parts; the same number to the last bit. */
  explain(index: number): PlacementScore;
}

export function bindScores(request: PlacementRequest, fleet: Fleet): BoundScores {
  const bound: { readonly name: Score['name']; readonly weight: number; readonly score: BoundScore }[] = [];
  for (const { name, weight, bind } of SCORES) {
    const score = bind(request, fleet);
    if (score !== null) bound.push({ name, weight, score });
  }
  return {
    writeTotals(totals, hosts, count) {
      totals.fill(0, 0, count);
      for (const { weight, score } of bound) score.addTo(totals, hosts, count, weight);
    },
    explain(index) {
      const parts = { accelerator: 0, fill: 0, balance: 0, 'soft-rules': 0, numa: 0 };
      let total = 0;
      for (const { name, weight, score } of bound) {
        parts[name] = weight * score.of(index);
        total += parts[name];
      }
      return { total, parts };
    },
  };
}
