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
const NAMED_HOST_FILTERS: readonly Filter[] = [requestedHost, excluded];
/** Of the request they read only what `hostsByLabels` tells kinds by. */
const LABEL_FILTERS: readonly Filter[] = [
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
];
const GROUP_FILTERS: readonly Filter[] = [affinity, antiAffinity, spread];
const CAPACITY_FILTERS: readonly Filter[] = [
  capacityVcpus,
  capacityMemory,
  capacityDisk,
  capacityDedicatedCpus,
  capacityHugePages2Mib,
  capacityHugePages1Gib,
];
const CORE_FILTERS: readonly Filter[] = [smt, numa];
const FILTERS: readonly Filter[] = [
  ...NAMED_HOST_FILTERS,
  ...LABEL_FILTERS,
  ...GROUP_FILTERS,
  ...CAPACITY_FILTERS,
  ...CORE_FILTERS,
];
/** Sets that other requests of the same kind do not share. */
const OWN_SET_FILTERS: readonly Filter[] = [...NAMED_HOST_FILTERS, ...GROUP_FILTERS];
const RULE_SCORES: readonly Score[] = [softRules, numaScore];
/** First those that `totalOfAmounts` sums up, in its order. */
const SCORES: readonly Score[] = [acceleratorScore, fill, balance, ...RULE_SCORES];

export type NamedFilter = BoundFilter & { readonly name: FilterName };

export const bindFilters = (request: PlacementRequest, fleet: Fleet): NamedFilter[] =>
  bindThese(FILTERS, request, fleet);

export const bindLabelFilters = (request: PlacementRequest, fleet: Fleet): NamedFilter[] =>
  bindThese(LABEL_FILTERS, request, fleet);

export const bindOwnSetFilters = (request: PlacementRequest, fleet: Fleet): NamedFilter[] =>
  bindThese(OWN_SET_FILTERS, request, fleet);

/** The rules that must look into each host, capacities left out. */
export const bindCoreFilters = (request: PlacementRequest, fleet: Fleet): NamedFilter[] =>
  bindThese(CORE_FILTERS, request, fleet);

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

export interface WeightedScore {
  readonly name: Score['name'];
  readonly weight: number;
  readonly score: BoundScore;
}

/** The scores that only some requests have, in their order; they come after `totalOfAmounts`. */
export const bindRuleScores = (request: PlacementRequest, fleet: Fleet): WeightedScore[] =>
  weigh(RULE_SCORES, request, fleet);

function weigh(scores: readonly Score[], request: PlacementRequest, fleet: Fleet): WeightedScore[] {
  const bound: WeightedScore[] = [];
  for (const { name, weight, bind } of scores) {
    const score = bind(request, fleet);
    if (score !== null) bound.push({ name, weight, score });
  }
  return bound;
}

export function bindScores(request: PlacementRequest, fleet: Fleet): BoundScores {
  const bound = weigh(SCORES, request, fleet);
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
