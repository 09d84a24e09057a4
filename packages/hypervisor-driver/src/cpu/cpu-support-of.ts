import {
  type Accelerator,
  CPU_FEATURE_COUNT_MAX,
  CPU_MODEL_COUNT_MAX,
  CpuFeature,
  CpuModel,
  featuresOfLevel,
  type HostCpuModel,
  type HostCpuSupport,
  levelModel,
  levelOfModel,
  x86LevelOf,
} from '@kvorum/schema';
import type { CpuDefinition } from '../qemu/qmp-commands.js';

/**
 * Versioned models that QEMU says it can give whole. Aliases are left out: they stand for another version with each machine
 * type. What is not spelled as models are is never asked for, nor handed on.
 */
export const expandable = (definitions: readonly CpuDefinition[]): string[] =>
  definitions
    .filter(({ aliasOf, unavailableFeatures }) => aliasOf === null && unavailableFeatures?.length === 0)
    .map(({ name }) => name)
    .filter(
      (name) => CpuModel.safeParse(name).success && name !== 'host' && name !== 'max' && levelOfModel(name) === null,
    )
    .slice(0, CPU_MODEL_COUNT_MAX);

export interface CpuAnswers {
  readonly accelerator: Accelerator;
  /** Features of `host` or `max`. */
  readonly whole: readonly string[];
  /** By model: its features. */
  readonly models: ReadonlyMap<string, readonly string[]>;
  readonly withheld: readonly string[];
}

/** What QEMU answered, as the facts say it: sorted, so that equal hosts report equally. Pure. */
export function cpuSupportOf({ accelerator, whole, models, withheld }: CpuAnswers): HostCpuSupport {
  const features = new Set(whole.filter((name) => !withheld.includes(name) && CpuFeature.safeParse(name).success));
  const level = x86LevelOf(features);
  const named = [...models].flatMap(([name, its]): HostCpuModel[] => {
    // Without long mode no guest of today starts; what needs a withheld feature does not start here.
    if (!its.includes('lm') || its.some((feature) => withheld.includes(feature))) return [];
    return [{ name, featureCount: Math.min(its.length, CPU_FEATURE_COUNT_MAX) }];
  });
  const levels = Array.from({ length: level }, (_, index) => ({
    name: levelModel(index + 1),
    featureCount: featuresOfLevel(index + 1).length,
  }));
  return {
    accelerator,
    models: [...levels, ...named].sort(byName).slice(0, CPU_MODEL_COUNT_MAX),
    features: [...features].sort().slice(0, CPU_FEATURE_COUNT_MAX),
    level,
    withheldFeatures: [...withheld],
  };
}

const byName = (left: HostCpuModel, right: HostCpuModel): number => (left.name < right.name ? -1 : 1);
