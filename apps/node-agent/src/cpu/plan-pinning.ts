import { type GuestNode, guestNodesOf, type VmSize } from '@kvorum/schema';
import type { HostNode, HostTopology } from './host-topology.js';

/** What one VM has of its host for itself. Kept in its record, so that a restarted agent knows it. */
export interface HostClaim {
  /** The host CPU of each vCPU, in order; empty: shared. */
  readonly vcpuCpus: readonly number[];
  /** SMT siblings of those that stay idle for the VM's sake. */
  readonly idleCpus: readonly number[];
  /** The host node of each NUMA node of the guest; empty: not bound. */
  readonly memoryNodes: readonly number[];
  /** What is bound to each of `memoryNodes`; without those: what is taken from whichever nodes have it. */
  readonly nodeBytes: readonly number[];
  /** In pages of this size; null: ordinary ones. */
  readonly pageBytes: number | null;
}

export const NO_CLAIM: HostClaim = { vcpuCpus: [], idleCpus: [], memoryNodes: [], nodeBytes: [], pageBytes: null };

export type PinningPlan =
  | { readonly kind: 'planned'; readonly claim: HostClaim }
  | { readonly kind: 'refused'; readonly message: string; readonly neededCpus: number; readonly freeCpus: number };

/** Of each node, what bound VMs may fill: the rest is for the kernel, page cache and VMs that are not bound. */
export const BINDABLE_SHARE = 0.95;
/** Guest nodes times host nodes is 64 on machines of today: more tries than this only tell of a host that is almost full. */
const TRIES_MAX = 10_000;

/** CPUs picked for one NUMA node of the guest. */
interface Pick {
  readonly used: readonly number[];
  readonly idle: readonly number[];
}
const NOTHING: Pick = { used: [], idle: [] };

/**
 * Which host CPUs and nodes a VM gets, given what others have. Pure and deterministic. Promises: a CPU belongs to one VM at
 * most, used or idle; none is kept for the host; each vCPU of a dedicated VM has one; with `isolate` no sibling of it is used,
 * with `require` only whole cores with siblings are; each NUMA node of the guest lies on one node of the host.
 */
export function planPinning(topology: HostTopology, claims: readonly HostClaim[], vm: VmSize): PinningPlan {
  const host = new FreeHost(topology, claims, vm);
  const guestNodes = guestNodesOf(vm);
  const { memory } = vm.hardware;
  if (guestNodes.length > 1) {
    const parts = assign(host, guestNodes);
    return parts === null
      ? refusal(host, `no way to lay ${guestNodes.length} NUMA nodes on those of the host`)
      : planned(parts, vm);
  }
  if (!host.isDedicated && memory.hugePageBytes === null) return { kind: 'planned', claim: NO_CLAIM };
  const [whole] = guestNodes as readonly [GuestNode];
  const single = topology.nodes.length > 1 || memory.hugePageBytes !== null ? assign(host, guestNodes) : null;
  if (single !== null) return planned(single, vm);
  // No node holds it all: CPUs of several, and memory wherever the kernel finds it.
  const pick = host.pick(
    topology.nodes.flatMap((node) => node.cpus),
    whole.vcpuCount,
    NOTHING,
  );
  if (pick === null) return refusal(host, '');
  const bytes = memory.hugePageBytes === null ? 0 : host.hugeBytesFree();
  if (memory.hugePageBytes !== null && bytes < vm.memoryBytes) {
    return refusal(host, `it needs ${vm.memoryBytes} bytes in huge pages, ${bytes} are free`);
  }
  const { hugePageBytes: pageBytes } = memory;
  const nodeBytes = pageBytes === null ? [] : [vm.memoryBytes];
  return { kind: 'planned', claim: { ...NO_CLAIM, vcpuCpus: pick.used, idleCpus: pick.idle, nodeBytes, pageBytes } };
}

interface Part {
  readonly node: HostNode;
  readonly guest: GuestNode;
  readonly pick: Pick;
}

/**
 * Each guest node on a host node, tried in turn: nodes that this VM does not use yet first, as a guest is told of several to
 * have several, and of those the fullest that holds it, so that large holes stay. Null: no way was found.
 */
function assign(host: FreeHost, guestNodes: readonly GuestNode[]): readonly Part[] | null {
  let triesLeft = TRIES_MAX;
  const extend = (parts: readonly Part[]): readonly Part[] | null => {
    const guest = guestNodes[parts.length];
    if (guest === undefined) return parts;
    for (const node of host.nodesFor(parts)) {
      triesLeft -= 1;
      if (triesLeft < 0) return null;
      const taken = takenBy(parts, node);
      if (taken.bytes + guest.memoryBytes > host.bytesFree(node)) continue;
      const pick = host.pick(node.cpus, guest.vcpuCount, taken.pick);
      const whole = pick === null ? null : extend([...parts, { node, guest, pick }]);
      if (whole !== null) return whole;
    }
    return null;
  };
  return extend([]);
}

const takenBy = (parts: readonly Part[], node: HostNode): { bytes: number; pick: Pick } => {
  const here = parts.filter((part) => part.node === node);
  return {
    bytes: here.reduce((sum, part) => sum + part.guest.memoryBytes, 0),
    pick: { used: here.flatMap(({ pick }) => pick.used), idle: here.flatMap(({ pick }) => pick.idle) },
  };
};

const planned = (parts: readonly Part[], { hardware }: VmSize): PinningPlan => ({
  kind: 'planned',
  claim: {
    vcpuCpus: parts.flatMap(({ pick }) => pick.used),
    idleCpus: parts.flatMap(({ pick }) => pick.idle),
    memoryNodes: parts.map(({ node }) => node.id),
    nodeBytes: parts.map(({ guest }) => guest.memoryBytes),
    pageBytes: hardware.memory.hugePageBytes,
  },
});

function refusal(host: FreeHost, why: string): PinningPlan {
  const { vcpuCount, freeCpus, smtRefusal } = host;
  const neededCpus = host.isDedicated ? vcpuCount : 0;
  const cpus = host.isDedicated ? `it needs ${neededCpus} CPUs of its own, ${freeCpus} are free` : '';
  const message = [cpus, smtRefusal, why].filter((text) => text !== '').join('; ');
  return { kind: 'refused', message, neededCpus, freeCpus };
}

/** The host without what is claimed, seen with the wishes of one VM. */
class FreeHost {
  readonly vcpuCount: number;
  readonly isDedicated: boolean;
  readonly #topology: HostTopology;
  readonly #claims: readonly HostClaim[];
  readonly #smt: VmSize['hardware']['cpuPolicy']['smt'];
  readonly #pageBytes: number | null;
  readonly #taken: ReadonlySet<number>;

  constructor(topology: HostTopology, claims: readonly HostClaim[], { vcpuCount, hardware }: VmSize) {
    this.vcpuCount = vcpuCount;
    this.isDedicated = hardware.cpuPolicy.policy === 'dedicated';
    this.#topology = topology;
    this.#claims = claims;
    this.#smt = hardware.cpuPolicy.smt;
    this.#pageBytes = hardware.memory.hugePageBytes;
    this.#taken = new Set([...topology.keptCpus, ...claims.flatMap((claim) => [...claim.vcpuCpus, ...claim.idleCpus])]);
  }

  get freeCpus(): number {
    return this.#topology.nodes.flatMap((node) => node.cpus).filter((cpu) => !this.#taken.has(cpu)).length;
  }

  get smtRefusal(): string {
    if (!this.isDedicated || this.#smt === 'prefer') return '';
    return this.#smt === 'require' ? 'only whole cores with SMT count' : 'only whole cores count';
  }

  bytesFree(node: HostNode): number {
    const all = this.#pageBytes === null ? node.memoryBytes * BINDABLE_SHARE : (node.hugeBytes[this.#pageBytes] ?? 0);
    return all - this.#boundBytes(node.id);
  }

  hugeBytesFree(): number {
    const claimed = this.#claims
      .filter((claim) => claim.pageBytes === this.#pageBytes)
      .flatMap((claim) => claim.nodeBytes);
    const all = this.#topology.nodes.map((node) => node.hugeBytes[this.#pageBytes ?? 0] ?? 0);
    return sumOf(all) - sumOf(claimed);
  }

  nodesFor(parts: readonly Part[]): readonly HostNode[] {
    const room = (node: HostNode): number =>
      this.isDedicated ? node.cpus.filter((cpu) => !this.#taken.has(cpu)).length : this.bytesFree(node);
    const uses = (node: HostNode): number => parts.filter((part) => part.node === node).length;
    return this.#topology.nodes.toSorted(
      (left, right) => uses(left) - uses(right) || room(left) - room(right) || left.id - right.id,
    );
  }

  /** So many of these CPUs as the VM's policy wants them; null: there are too few. */
  pick(cpus: readonly number[], count: number, besides: Pick): Pick | null {
    if (!this.isDedicated) return NOTHING;
    const isFree = (cpu: number): boolean =>
      cpus.includes(cpu) && !this.#taken.has(cpu) && !besides.used.includes(cpu) && !besides.idle.includes(cpu);
    const cores = this.#topology.cores.map((core) => ({ free: core.filter(isFree), isWhole: core.every(isFree) }));
    const whole = cores.filter((core) => core.isWhole).map((core) => core.free);
    if (this.#smt === 'isolate') {
      if (whole.length < count) return null;
      const taken = whole.slice(0, count);
      return { used: taken.flatMap((core) => core.slice(0, 1)), idle: taken.flatMap((core) => core.slice(1)) };
    }
    if (this.#smt === 'require') {
      const order = whole.filter((core) => core.length > 1);
      return take(order, count, 'whole cores');
    }
    // Whole cores while they are filled, then what others have left over, and only then a part of a whole core.
    const threads = Math.max(1, ...whole.map((core) => core.length));
    const filled = whole.slice(0, Math.floor(count / threads));
    const rest = whole.slice(filled.length);
    return take([...filled, ...cores.filter((core) => !core.isWhole).map((core) => core.free), ...rest], count, 'CPUs');
  }

  #boundBytes(nodeId: number): number {
    return this.#claims
      .filter((claim) => claim.pageBytes === this.#pageBytes)
      .flatMap((claim) => claim.memoryNodes.map((id, index) => (id === nodeId ? (claim.nodeBytes[index] ?? 0) : 0)))
      .reduce((sum, bytes) => sum + bytes, 0);
  }
}

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0);

function take(cores: readonly (readonly number[])[], count: number, unit: 'whole cores' | 'CPUs'): Pick | null {
  const used: number[] = [];
  const idle: number[] = [];
  for (const core of cores) {
    if (used.length === count) break;
    const wanted = Math.min(core.length, count - used.length);
    used.push(...core.slice(0, wanted));
    if (unit === 'whole cores') idle.push(...core.slice(wanted));
  }
  return used.length === count ? { used, idle } : null;
}
