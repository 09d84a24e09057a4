import { type HostRow, NO_AMOUNTS, type PlacementRequest } from '@kvorum/scheduler';
import { describe, expect, it } from 'vitest';
import type { FleetChanges } from './fleet.store.js';
import { DatabaseFleetSnapshot } from './fleet-snapshot.js';

const NEEDED: PlacementRequest = {
  ...NO_AMOUNTS,
  vcpuCount: 1,
  memoryBytes: 1,
  diskBytes: 1,
  accelerator: null,
  hostId: null,
  excludedHostIds: [],
};
const aHostRow = (hostId: string, free: number, reserved = 0): HostRow => ({
  hostId,
  name: hostId,
  state: 'active',
  connectivity: 'connected',
  accelerator: 'kvm',
  capacity: { ...NO_AMOUNTS, vcpuCount: free + reserved, memoryBytes: 100, diskBytes: 100 },
  reserved: { ...NO_AMOUNTS, vcpuCount: reserved, memoryBytes: 0, diskBytes: 0 },
});

/** A database of hosts whose reads end when the test says so. */
class Hosts {
  rows: HostRow[] = [];
  committed = new Set<string>();
  readCount = 0;
  vmChanges: FleetChanges['vmChanges'] = { vms: [], groups: [], areAllGroups: false, groupCount: 0, hostGroups: [] };
  #held: (() => void)[] | null = null;

  read = async (asked: readonly string[]): Promise<FleetChanges> => {
    this.readCount += 1;
    const countedClaimIds = new Set(asked.filter((id) => this.committed.has(id)));
    const answer = {
      hosts: this.rows,
      horizonXactId: BigInt(this.readCount),
      countedClaimIds,
      vmChanges: this.vmChanges,
    };
    if (this.#held !== null) await new Promise<void>((resolve) => this.#held?.push(resolve));
    return answer;
  };
  hold(): void {
    this.#held = [];
  }
  letGo(): void {
    for (const resolve of this.#held ?? []) resolve();
    this.#held = null;
  }
}

const placeAll = async (fleet: DatabaseFleetSnapshot, vmIds: readonly string[]) =>
  Promise.all(vmIds.map((vmId) => fleet.propose(vmId, NEEDED, 'recent')));

describe('the fleet snapshot', () => {
  it('counts what it has proposed at once, so that VMs placed together are told different places', async () => {
    const hosts = new Hosts();
    hosts.rows = [aHostRow('a', 2), aHostRow('b', 1)];
    const fleet = new DatabaseFleetSnapshot(hosts.read);
    const proposals = await placeAll(fleet, ['1', '2', '3', '4']);
    expect(proposals.map((proposal) => (proposal.kind === 'placed' ? proposal.hostId : 'refused')).sort()).toEqual([
      'a',
      'a',
      'b',
      'refused',
    ]);
  });

  it('reads once for all who ask at the same time, and not again while its numbers are recent', async () => {
    const hosts = new Hosts();
    hosts.rows = [aHostRow('a', 100)];
    const fleet = new DatabaseFleetSnapshot(hosts.read, { ageMsMax: Number.POSITIVE_INFINITY });
    await placeAll(
      fleet,
      Array.from({ length: 20 }, (_, index) => `${index}`),
    );
    // The first one reads; those who came while it did wait for one more, for it may have begun before they knew something.
    expect(hosts.readCount).toBeLessThanOrEqual(2);
    const before = hosts.readCount;
    await placeAll(fleet, ['x', 'y']);
    expect(hosts.readCount).toBe(before);
  });

  it('counts a proposal on the nodes it would lie on, until it is in the rows or given up', async () => {
    const hosts = new Hosts();
    const node = (dedicatedCpuCount: number) => ({
      dedicatedCpuCount,
      memoryBytes: 100,
      hugePages2MibBytes: 0,
      hugePages1GibBytes: 0,
    });
    const host = aHostRow('a', 100);
    hosts.rows = [{ ...host, capacity: { ...host.capacity, dedicatedCpuCount: 8 }, numaNodes: [node(4), node(4)] }];
    const fleet = new DatabaseFleetSnapshot(hosts.read);
    const guestNode = { cpuCount: 2, memoryBytes: 1, hugePages2MibBytes: 0, hugePages1GibBytes: 0 };
    const split = { ...NEEDED, dedicatedCpuCount: 4, guestNodes: [guestNode, guestNode] };
    const whole = {
      ...NEEDED,
      dedicatedCpuCount: 3,
      guestNodes: [
        { ...guestNode, cpuCount: 3 },
        { ...guestNode, cpuCount: 0 },
      ],
    };
    const first = await fleet.propose('1', split, 'fresh');
    expect(first.kind).toBe('placed');
    // Two CPUs are free on each node, four in sum: three on one node are not, however often the rows are read.
    expect((await fleet.propose('2', whole, 'recent')).kind).toBe('refused');
    expect((await fleet.propose('2', whole, 'fresh')).kind).toBe('refused');
    if (first.kind === 'placed') first.settle('given up');
    expect((await fleet.propose('2', whole, 'recent')).kind).toBe('placed');
  });

  it('gives room back when a claim is given up', async () => {
    const hosts = new Hosts();
    hosts.rows = [aHostRow('a', 1)];
    const fleet = new DatabaseFleetSnapshot(hosts.read);
    const first = await fleet.propose('1', NEEDED, 'recent');
    expect((await fleet.propose('2', NEEDED, 'recent')).kind).toBe('refused');
    if (first.kind === 'placed') first.settle('given up');
    expect((await fleet.propose('2', NEEDED, 'recent')).kind).toBe('placed');
  });

  it('carries an open claim over a read that does not hold it, and does not count one twice that it does hold', async () => {
    const hosts = new Hosts();
    hosts.rows = [aHostRow('a', 2)];
    const fleet = new DatabaseFleetSnapshot(hosts.read);
    await fleet.propose('1', NEEDED, 'recent');
    // Not committed yet: the numbers are without it.
    expect((await fleet.propose('2', NEEDED, 'fresh')).kind).toBe('placed');
    expect((await fleet.propose('3', NEEDED, 'fresh')).kind).toBe('refused');
    // Both are committed, and the numbers hold them: one place more makes room for exactly one.
    hosts.committed = new Set(['1', '2']);
    hosts.rows = [aHostRow('a', 1, 2)];
    expect((await fleet.propose('3', NEEDED, 'fresh')).kind).toBe('placed');
    expect((await fleet.propose('4', NEEDED, 'recent')).kind).toBe('refused');
  });

  it('forgets a committed claim once it was read: the VM may be gone again', async () => {
    const hosts = new Hosts();
    hosts.rows = [aHostRow('a', 1)];
    const fleet = new DatabaseFleetSnapshot(hosts.read);
    const first = await fleet.propose('1', NEEDED, 'recent');
    if (first.kind === 'placed') first.settle('kept');
    // Deleted and released by another process meanwhile: no reservation, and the room is free.
    expect((await fleet.propose('2', NEEDED, 'fresh')).kind).toBe('placed');
  });

  it('keeps counting a claim that was committed while the numbers were being read without it', async () => {
    const hosts = new Hosts();
    hosts.rows = [aHostRow('a', 1)];
    const fleet = new DatabaseFleetSnapshot(hosts.read);
    const first = await fleet.propose('1', NEEDED, 'recent');
    hosts.hold();
    const second = fleet.propose('2', NEEDED, 'fresh');
    if (first.kind === 'placed') first.settle('kept');
    hosts.letGo();
    expect((await second).kind).toBe('refused');
  });

  it('answers "fresh" with numbers read after the question, not with a read that was under way', async () => {
    const hosts = new Hosts();
    hosts.rows = [aHostRow('a', 0)];
    const fleet = new DatabaseFleetSnapshot(hosts.read);
    hosts.hold();
    const early = fleet.propose('1', NEEDED, 'fresh');
    hosts.rows = [aHostRow('a', 1)];
    const late = fleet.propose('2', NEEDED, 'fresh');
    hosts.letGo();
    expect((await early).kind).toBe('refused');
    expect((await late).kind).toBe('placed');
  });

  it('asks the database again after a read that failed', async () => {
    const hosts = new Hosts();
    const fleet = new DatabaseFleetSnapshot(async (asked) => {
      if (hosts.readCount === 0) {
        hosts.readCount += 1;
        throw new Error('connection lost');
      }
      return hosts.read(asked);
    });
    hosts.rows = [aHostRow('a', 1)];
    await expect(fleet.propose('1', NEEDED, 'fresh')).rejects.toThrow('connection lost');
    expect((await fleet.propose('1', NEEDED, 'fresh')).kind).toBe('placed');
  });

  it('says when no claim is open any more', async () => {
    const hosts = new Hosts();
    hosts.rows = [aHostRow('a', 9)];
    const fleet = new DatabaseFleetSnapshot(hosts.read);
    await fleet.claimsSettled();
    const claims = await placeAll(fleet, ['1', '2']);
    let isSettled = false;
    const settled = fleet.claimsSettled().then(() => {
      isSettled = true;
    });
    const [one, two] = claims;
    if (one?.kind === 'placed') one.settle('kept');
    await Promise.resolve();
    expect(isSettled).toBe(false);
    if (two?.kind === 'placed') two.settle('given up');
    await settled;
    expect(isSettled).toBe(true);
  });
});
