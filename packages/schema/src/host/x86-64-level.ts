/**
 * The levels of the x86-64 psABI (low-level system information, table 3.1), in QEMU's names of the features (target/i386/cpu.c:
 * pni is SSE3, abm holds LZCNT, xsave stands for OSXSAVE too, which the guest sets itself). Levels 3 and 4 have AES as well:
 * every processor of theirs has it, and without it TLS and disk encryption are several times slower.
 */
const ADDED_BY_LEVEL: readonly (readonly string[])[] = [
  ['lm', 'fpu', 'cmov', 'cx8', 'fxsr', 'mmx', 'syscall', 'sse', 'sse2'],
  ['cx16', 'lahf-lm', 'popcnt', 'pni', 'sse4.1', 'sse4.2', 'ssse3'],
  ['aes', 'avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'abm', 'movbe', 'xsave'],
  ['avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl'],
];
export const X86_64_LEVEL_MAX = ADDED_BY_LEVEL.length;

/** All features of a level, those of the levels below included. */
export const featuresOfLevel = (level: number): readonly string[] => ADDED_BY_LEVEL.slice(0, level).flat();

/** The highest level whose features are all among those given; 0: not even the first. */
export function x86LevelOf(features: ReadonlySet<string>): number {
  const missing = ADDED_BY_LEVEL.findIndex((added) => !added.every((feature) => features.has(feature)));
  return missing === -1 ? X86_64_LEVEL_MAX : missing;
}

export const levelModel = (level: number): string => `x86-64-v${level}`;

/** The level that a model's name stands for; null: it is another model. */
export function levelOfModel(model: string): number | null {
  const level = Number(/^x86-64-v(\d)$/.exec(model)?.[1] ?? 0);
  return level >= 1 && level <= X86_64_LEVEL_MAX ? level : null;
}
