import type { HostRow } from './host-row.js';
import { addHost, addHosts, dropHost, type HostSet, hostSetOf } from './host-set.js';

/** What a host is, as words. One function per kind, so that a filter and the fleet spell a label alike. */
export const LABEL = {
  state: (state: HostRow['state']): string => `state:${state}`,
  connected: 'connected',
  accelerator: (accelerator: string): string => `accelerator:${accelerator}`,
  trait: (trait: string): string => `trait:${trait}`,
  cpuBaseline: (baseline: string): string => `cpu-baseline:${baseline}`,
  nestsVms: 'nests-vms',
  storagePool: (poolId: string): string => `storage-pool:${poolId}`,
  network: (networkId: string): string => `network:${networkId}`,
  domain: (level: string, name: string): string => `domain:${level}=${name}`,
  hostGroup: (groupId: string): string => `host-group:${groupId}`,
  smt: 'smt',
} as const;

export const labelsOf = (row: HostRow): string[] => [
  LABEL.state(row.state),
  ...(row.connectivity === 'connected' ? [LABEL.connected] : []),
  ...(row.accelerator === null ? [] : [LABEL.accelerator(row.accelerator)]),
  ...Array.from(row.traits ?? [], LABEL.trait),
  ...(row.cpuBaselines ?? []).map(LABEL.cpuBaseline),
  ...(row.nestsVms === true ? [LABEL.nestsVms] : []),
  ...(row.storagePoolIds ?? []).map(LABEL.storagePool),
  ...(row.networkIds ?? []).map(LABEL.network),
  ...Object.entries(row.domains ?? {}).map(([level, name]) => LABEL.domain(level, name)),
  ...(row.hostGroupId === undefined ? [] : [LABEL.hostGroup(row.hostGroupId)]),
  ...(row.threadsPerCore === 2 ? [LABEL.smt] : []),
];

/** Requests of so many kinds are remembered. */
const UNION_COUNT_MAX = 256;

/** Which hosts have which label. */
export class LabelSets {
  /** Grows with each change. */
  version = 0;
  readonly #hostCount: number;
  readonly #sets = new Map<string, HostSet>();
  readonly #unions = new Map<string, HostSet>();
  #unionsVersion = 0;
  readonly #nobody: HostSet;

  constructor(hostCount: number) {
    this.#hostCount = hostCount;
    this.#nobody = hostSetOf(hostCount);
  }

  /** To be read only. Empty where no host has the label. */
  of(label: string): HostSet {
    return this.#sets.get(label) ?? this.#nobody;
  }

  /** To be read only: the hosts that have at least one of the labels. Put together again when a label has changed. */
  anyOf(labels: readonly string[]): HostSet {
    const [only] = labels;
    if (labels.length === 1 && only !== undefined) return this.of(only);
    if (this.#unionsVersion !== this.version || this.#unions.size >= UNION_COUNT_MAX) {
      this.#unions.clear();
      this.#unionsVersion = this.version;
    }
    const key = JSON.stringify(labels);
    let union = this.#unions.get(key);
    if (union === undefined) {
      union = hostSetOf(this.#hostCount);
      for (const label of labels) addHosts(union, this.of(label));
      this.#unions.set(key, union);
    }
    return union;
  }

  /** Some host has it. */
  isKnown(label: string): boolean {
    return this.#sets.get(label)?.some((word) => word !== 0) ?? false;
  }

  set(index: number, label: string): void {
    this.version += 1;
    let set = this.#sets.get(label);
    if (set === undefined) {
      set = hostSetOf(this.#hostCount);
      this.#sets.set(label, set);
    }
    addHost(set, index);
  }

  unset(index: number, label: string): void {
    this.version += 1;
    const set = this.#sets.get(label);
    if (set !== undefined) dropHost(set, index);
  }
}
