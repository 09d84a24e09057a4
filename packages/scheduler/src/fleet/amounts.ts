/** What a host has, what VMs hold of it, or what one VM needs. */
export type Amounts = {
  readonly vcpuCount: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  /** Host CPUs that VMs have for themselves; of a host: those it offers for that. */
  readonly dedicatedCpuCount: number;
  /** Memory in huge pages, set aside by the host; not part of `memoryBytes`. */
  readonly hugePages2MibBytes: number;
  readonly hugePages1GibBytes: number;
};

/** The quantities a VM reserves on its host, in the order in which they are checked and named. */
export const DIMENSIONS = [
  'vcpuCount',
  'memoryBytes',
  'diskBytes',
  'dedicatedCpuCount',
  'hugePages2MibBytes',
  'hugePages1GibBytes',
] as const satisfies readonly (keyof Amounts)[];
export type Dimension = (typeof DIMENSIONS)[number];

/** Nothing of anything: what a VM or host has of the quantities that nobody names. */
export const NO_AMOUNTS: Amounts = {
  vcpuCount: 0,
  memoryBytes: 0,
  diskBytes: 0,
  dedicatedCpuCount: 0,
  hugePages2MibBytes: 0,
  hugePages1GibBytes: 0,
};

/** The amounts of something that has more than those, in a fixed order. */
export const amountsOf = (from: Amounts): Amounts => ({
  vcpuCount: from.vcpuCount,
  memoryBytes: from.memoryBytes,
  diskBytes: from.diskBytes,
  dedicatedCpuCount: from.dedicatedCpuCount,
  hugePages2MibBytes: from.hugePages2MibBytes,
  hugePages1GibBytes: from.hugePages1GibBytes,
});

/** One array per dimension. Bytes are doubles: exact up to 2^53, which 32 bits are not. */
export type AmountColumns = Record<Dimension, Float64Array>;

export const amountColumns = (length: number): AmountColumns => ({
  vcpuCount: new Float64Array(length),
  memoryBytes: new Float64Array(length),
  diskBytes: new Float64Array(length),
  dedicatedCpuCount: new Float64Array(length),
  hugePages2MibBytes: new Float64Array(length),
  hugePages1GibBytes: new Float64Array(length),
});
