import { type Accelerator, type CpuBaseline, type HostCpuModel, type HostFacts, x86LevelOf } from '@kvorum/schema';

/** What one host can give to guests under the accelerator that it offers them; of several hosts, what all of them can. */
export interface CpuOffer {
  readonly hostCount: number;
  readonly features: ReadonlySet<string>;
  /** By name: the number of features. */
  readonly models: ReadonlyMap<string, number>;
  readonly machineTypes: ReadonlySet<string>;
}

/** Null: its agent has not said, or it offers VMs nothing. */
export function offerOf(
  accelerator: Accelerator | null,
  facts: Pick<HostFacts, 'cpu' | 'machineTypes'> | null,
): CpuOffer | null {
  const support = facts?.cpu.find((entry) => entry.accelerator === accelerator);
  if (facts === null || support === undefined) return null;
  return {
    hostCount: 1,
    features: new Set(support.features),
    models: new Map(support.models.map(({ name, featureCount }) => [name, featureCount])),
    machineTypes: new Set(facts.machineTypes),
  };
}

/**
 * What both have: associative, commutative and never more than either, so that the order in which hosts joined never shows.
 * Null is the offer of no host at all, which takes nothing away.
 */
export function commonOffer(left: CpuOffer | null, right: CpuOffer | null): CpuOffer | null {
  if (left === null) return right;
  if (right === null) return left;
  return {
    hostCount: left.hostCount + right.hostCount,
    features: common(left.features, right.features),
    models: new Map(
      [...left.models].flatMap(([name, count]) => {
        const other = right.models.get(name);
        return other === undefined ? [] : [[name, Math.min(count, other)] as const];
      }),
    ),
    machineTypes: common(left.machineTypes, right.machineTypes),
  };
}

const common = (left: ReadonlySet<string>, right: ReadonlySet<string>): Set<string> =>
  new Set([...left].filter((name) => right.has(name)));

/** As people are shown it: in a fixed order, with the model to choose. */
export function baselineOf(offer: CpuOffer | null): CpuBaseline {
  if (offer === null) {
    return { hostCount: 0, level: 0, features: [], models: [], recommendedModel: null, machineTypes: [] };
  }
  const models = [...offer.models].map(([name, featureCount]) => ({ name, featureCount })).sort(mostFeaturesFirst);
  return {
    hostCount: offer.hostCount,
    level: x86LevelOf(offer.features),
    features: [...offer.features].sort(),
    models,
    recommendedModel: models[0]?.name ?? null,
    machineTypes: [...offer.machineTypes].sort(newestFirst),
  };
}

const mostFeaturesFirst = (left: HostCpuModel, right: HostCpuModel): number =>
  right.featureCount - left.featureCount || (left.name < right.name ? -1 : 1);

const newestFirst = (left: string, right: string): number => right.localeCompare(left, 'en', { numeric: true });

export interface BaselineLoss {
  readonly featuresLost: string[];
  readonly modelsLost: string[];
  readonly machineTypesLost: string[];
}

/** What of `before` is not in `after`. A group without known hosts has nothing to lose. */
export function lossBetween(before: CpuBaseline, after: CpuBaseline): BaselineLoss {
  const lost = (had: readonly string[], has: readonly string[]): string[] => {
    const left = new Set(has);
    return had.filter((name) => !left.has(name));
  };
  const names = (baseline: CpuBaseline): string[] => baseline.models.map(({ name }) => name);
  return {
    featuresLost: lost(before.features, after.features),
    modelsLost: lost(names(before), names(after)),
    machineTypesLost: lost(before.machineTypes, after.machineTypes),
  };
}
