import type { BoundFilter, Filter } from './filter.js';
import { accelerator } from './filters/accelerator.js';
import { capacityDedicatedCpus } from './filters/capacity-dedicated-cpus.js';
import { capacityDisk } from './filters/capacity-disk.js';
import { capacityHugePages1Gib } from './filters/capacity-huge-pages-1gib.js';
import { capacityHugePages2Mib } from './filters/capacity-huge-pages-2mib.js';
import { capacityMemory } from './filters/capacity-memory.js';
import { capacityVcpus } from './filters/capacity-vcpus.js';
import { connectivity } from './filters/connectivity.js';
import { excluded } from './filters/excluded.js';
import { hostState } from './filters/host-state.js';
import { requestedHost } from './filters/requested-host.js';
import type { Fleet } from './fleet.js';
import type { FilterName, PlacementRequest, PlacementScore } from './placement.js';
import type { Score } from './score.js';
import { acceleratorScore } from './scores/accelerator.js';
import { balance } from './scores/balance.js';
import { pack } from './scores/pack.js';

/** What a person decided comes before what the host has: "cordoned" is a better answer than "short of memory". */
const FILTERS: readonly Filter[] = [
  requestedHost,
  excluded,
  hostState,
  connectivity,
  accelerator,
  capacityVcpus,
  capacityMemory,
  capacityDisk,
  capacityDedicatedCpus,
  capacityHugePages2Mib,
  capacityHugePages1Gib,
];
const SCORES: readonly Score[] = [acceleratorScore, pack, balance];

export type NamedFilter = BoundFilter & { readonly name: FilterName };

export const bindFilters = (request: PlacementRequest, fleet: Fleet): readonly NamedFilter[] =>
  FILTERS.flatMap((filter) => {
    const bound = filter.bind(request, fleet);
    return bound === null ? [] : [{ name: filter.name, ...bound }];
  });

export interface BoundScores {
  /** What candidates are ordered by. */
  total(index: number): number;
  /** The same, with its parts. */
  explain(index: number): PlacementScore;
}

export function bindScores(request: PlacementRequest, fleet: Fleet): BoundScores {
  const bound = SCORES.map(({ name, weight, bind }) => ({ name, weight, of: bind(request, fleet) }));
  const total = (index: number): number => {
    let sum = 0;
    for (const { weight, of } of bound) sum += weight * of(index);
    return sum;
  };
  const explain = (index: number): PlacementScore => {
    const parts = { accelerator: 0, pack: 0, balance: 0 };
    for (const { name, weight, of } of bound) parts[name] = weight * of(index);
    return { total: total(index), parts };
  };
  return { total, explain };
}
