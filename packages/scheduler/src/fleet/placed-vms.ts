import type { PlacedVm } from '../request/placement-request.js';

/** VMs by id, host and group. Of hosts by their ids, for indexes change when hosts come and go. */
export class PlacedVms {
  readonly #byId = new Map<string, PlacedVm>();
  readonly #byHost = new Map<string, Map<string, PlacedVm>>();
  readonly #byGroup = new Map<string, Map<string, PlacedVm>>();

  get count(): number {
    return this.#byId.size;
  }

  get(vmId: string): PlacedVm | undefined {
    return this.#byId.get(vmId);
  }

  all(): IterableIterator<PlacedVm> {
    return this.#byId.values();
  }

  /** In the order of ids, so that nothing depends on the order in which VMs were told. */
  onHost(hostId: string): PlacedVm[] {
    return [...(this.#byHost.get(hostId)?.values() ?? [])].sort(byVmId);
  }

  /** In no order. */
  eachOnHost(hostId: string): Iterable<PlacedVm> {
    return this.#byHost.get(hostId)?.values() ?? [];
  }

  countOnHost(hostId: string): number {
    return this.#byHost.get(hostId)?.size ?? 0;
  }

  /** In no order. */
  membersOf(groupId: string): Iterable<PlacedVm> {
    return this.#byGroup.get(groupId)?.values() ?? [];
  }

  add(vm: PlacedVm): void {
    this.remove(vm.vmId);
    this.#byId.set(vm.vmId, vm);
    put(this.#byHost, vm.hostId, vm);
    for (const groupId of vm.request.groupIds ?? []) put(this.#byGroup, groupId, vm);
  }

  remove(vmId: string): PlacedVm | undefined {
    const vm = this.#byId.get(vmId);
    if (vm === undefined) return undefined;
    this.#byId.delete(vmId);
    take(this.#byHost, vm.hostId, vmId);
    for (const groupId of vm.request.groupIds ?? []) take(this.#byGroup, groupId, vmId);
    return vm;
  }
}

const byVmId = (left: PlacedVm, right: PlacedVm): number => (left.vmId < right.vmId ? -1 : 1);

function put(index: Map<string, Map<string, PlacedVm>>, key: string, vm: PlacedVm): void {
  const members = index.get(key);
  if (members === undefined) index.set(key, new Map([[vm.vmId, vm]]));
  else members.set(vm.vmId, vm);
}

function take(index: Map<string, Map<string, PlacedVm>>, key: string, vmId: string): void {
  const members = index.get(key);
  members?.delete(vmId);
  if (members?.size === 0) index.delete(key);
}
