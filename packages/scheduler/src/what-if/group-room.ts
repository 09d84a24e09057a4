import type { Amounts } from '../fleet/amounts.js';
import type { Fleet } from '../fleet/fleet.js';
import { type HostSet, hasHost } from '../fleet/host-set.js';
import { LABEL } from '../fleet/labels.js';
import type { PlacementRequest } from '../request/placement-request.js';
import { totalOfAmounts } from '../scores/score-amounts.js';

/** What beside amounts and sets decides for a VM. Hosts by their index in the fleet. */
export interface RoomRules {
  admits(host: number): boolean;
  /** The total with the scores of the rules added. */
  addTo(total: number, host: number): number;
}

/**
 * What the hosts of a group have free of vCPUs, memory and disk, copied from the fleet, so that losses are tried without
 * changing it. It finds what `chooseHost` would. Hosts are named by their place in the group.
 */
export class GroupRoom {
  readonly #fleet: Fleet;
  readonly #hosts: Int32Array;
  readonly #hasKvm: readonly boolean[];
  readonly #vcpuCount: Float64Array;
  readonly #memoryBytes: Float64Array;
  readonly #diskBytes: Float64Array;
  /** Nothing else is promised beyond what there is: such a host admits nothing. */
  readonly #isSound: Uint8Array;
  readonly #spare: readonly [Float64Array, Float64Array, Float64Array];

  constructor(fleet: Fleet, hosts: Int32Array) {
    const column = (): Float64Array => new Float64Array(hosts.length);
    this.#fleet = fleet;
    this.#hosts = hosts;
    this.#hasKvm = Array.from(hosts, (host) => hasHost(fleet.labels.of(LABEL.accelerator('kvm')), host));
    this.#vcpuCount = column();
    this.#memoryBytes = column();
    this.#diskBytes = column();
    this.#isSound = new Uint8Array(hosts.length);
    this.#spare = [column(), column(), column()];
  }

  /** As it is in the fleet, with these amounts taken (sign -1) or given back (1) beforehand. */
  read(changes: readonly { readonly place: number; readonly amounts: Amounts; readonly sign: -1 | 1 }[]): void {
    const { free } = this.#fleet;
    for (let place = 0; place < this.#hosts.length; place += 1) {
      const host = this.#hosts[place] as number;
      this.#vcpuCount[place] = free.vcpuCount[host] as number;
      this.#memoryBytes[place] = free.memoryBytes[host] as number;
      this.#diskBytes[place] = free.diskBytes[host] as number;
      this.#isSound[place] = this.#isSoundWith(host, place, changes) ? 1 : 0;
    }
    for (const { place, amounts, sign } of changes) this.#add(place, amounts, sign);
    this.#keep();
  }

  #isSoundWith(host: number, place: number, changes: Parameters<GroupRoom['read']>[0]): boolean {
    const { dedicatedCpuCount, hugePages2MibBytes, hugePages1GibBytes } = this.#fleet.free;
    let cpus = dedicatedCpuCount[host] as number;
    let smallPages = hugePages2MibBytes[host] as number;
    let largePages = hugePages1GibBytes[host] as number;
    for (const { place: changed, amounts, sign } of changes) {
      if (changed !== place) continue;
      cpus += sign * amounts.dedicatedCpuCount;
      smallPages += sign * amounts.hugePages2MibBytes;
      largePages += sign * amounts.hugePages1GibBytes;
    }
    return cpus >= 0 && smallPages >= 0 && largePages >= 0;
  }

  #add(place: number, amounts: Amounts, sign: -1 | 1): void {
    this.#vcpuCount[place] = (this.#vcpuCount[place] as number) + sign * amounts.vcpuCount;
    this.#memoryBytes[place] = (this.#memoryBytes[place] as number) + sign * amounts.memoryBytes;
    this.#diskBytes[place] = (this.#diskBytes[place] as number) + sign * amounts.diskBytes;
  }

  #keep(): void {
    this.#spare[0].set(this.#vcpuCount);
    this.#spare[1].set(this.#memoryBytes);
    this.#spare[2].set(this.#diskBytes);
  }

  /** Back to what was read. */
  restore(): void {
    this.#vcpuCount.set(this.#spare[0]);
    this.#memoryBytes.set(this.#spare[1]);
    this.#diskBytes.set(this.#spare[2]);
  }

  /** Some place that admits and is not lost has room for these amounts of vCPUs, memory and disk. */
  hasPlaceFor(
    { vcpuCount, memoryBytes, diskBytes }: Pick<Amounts, 'vcpuCount' | 'memoryBytes' | 'diskBytes'>,
    admitted: HostSet,
    lost: readonly number[],
    admits: ((host: number) => boolean) | null,
  ): boolean {
    for (let place = 0; place < this.#hosts.length; place += 1) {
      if ((this.#vcpuCount[place] as number) < vcpuCount || (this.#memoryBytes[place] as number) < memoryBytes)
        continue;
      if ((this.#diskBytes[place] as number) < diskBytes || this.#isSound[place] === 0) continue;
      const host = this.#hosts[place] as number;
      if (hasHost(admitted, host) && !lost.includes(place) && (admits === null || admits(host))) return true;
    }
    return false;
  }

  /** Puts a VM on the best of the places that admit it and are not lost; -1: none has room. */
  take(request: PlacementRequest, admitted: HostSet, lost: readonly number[], rules: RoomRules | null = null): number {
    const { vcpuCount, memoryBytes, diskBytes } = request;
    const { perCapacity, policies } = this.#fleet;
    let best = -1;
    let bestTotal = Number.NEGATIVE_INFINITY;
    for (let place = 0; place < this.#hosts.length; place += 1) {
      const host = this.#hosts[place] as number;
      if (!hasHost(admitted, host) || this.#isSound[place] === 0 || lost.includes(place)) continue;
      const vcpusLeft = (this.#vcpuCount[place] as number) - vcpuCount;
      const memoryLeft = (this.#memoryBytes[place] as number) - memoryBytes;
      const diskLeft = (this.#diskBytes[place] as number) - diskBytes;
      if (vcpusLeft < 0 || memoryLeft < 0 || diskLeft < 0) continue;
      if (rules !== null && !rules.admits(host)) continue;
      const ofAmounts = totalOfAmounts(
        this.#hasKvm[place] as boolean,
        policies[host] as number,
        vcpusLeft * (perCapacity.vcpuCount[host] as number),
        memoryLeft * (perCapacity.memoryBytes[host] as number),
        diskLeft * (perCapacity.diskBytes[host] as number),
      );
      const total = rules === null ? ofAmounts : rules.addTo(ofAmounts, host);
      if (!(total > bestTotal)) continue;
      best = place;
      bestTotal = total;
    }
    if (best >= 0) this.#add(best, request, -1);
    return best;
  }
}
