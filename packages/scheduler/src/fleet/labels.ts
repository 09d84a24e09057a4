import type { HostRow } from './host-row.js';
import { addHost, dropHost, type HostSet, hostSetOf } from './host-set.js';

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

/** Which hosts have which label. */
export class LabelSets {
  readonly #hostCount: number;
  readonly #sets = new Map<string, HostSet>();
  readonly #nobody: HostSet;

  constructor(hostCount: number) {
    this.#hostCount = hostCount;
    this.#nobody = hostSetOf(hostCount);
  }

  /** To be read only. Empty where no host has the label. */
  of(label: string): HostSet {
    return this.#sets.get(label) ?? this.#nobody;
  }

  /** Some host has it. */
  isKnown(label: string): boolean {
    return this.#sets.get(label)?.some((word) => word !== 0) ?? false;
  }

  set(index: number, label: string): void {
    let set = this.#sets.get(label);
    if (set === undefined) {
      set = hostSetOf(this.#hostCount);
      this.#sets.set(label, set);
    }
    addHost(set, index);
  }

  unset(index: number, label: string): void {
    const set = this.#sets.get(label);
    if (set !== undefined) dropHost(set, index);
  }
}
