import { isDeepStrictEqual } from 'node:util';
import {
  type Amounts,
  amountsOf,
  type Fleet,
  fleetOf,
  type HostGroup,
  type HostRow,
  type NumaPlan,
  type PlacedVm,
  type Placement,
  type PlacementRequest,
  place,
  planNuma,
} from '@kvorum/scheduler';
import type { Accelerator } from '@kvorum/schema';
import { type EvidenceJson, evidenceOf } from '../placement/decision-evidence.js';
import { FEED_START, type FleetChanges } from './fleet.store.js';
import type { VmChanges } from './fleet-vms.store.js';

/**
 * Older numbers are brought up to date before they are used. That reads what has changed and nothing else, so it may be often:
 * what other processes have taken meanwhile is what this one would lose a race for.
 */
const FLEET_AGE_MS_MAX = 100;

/**
 * The fleet as the scheduler sees it. The conditional reservation in the database is what decides; this snapshot only makes
 * good proposals. It is read once, and from then on kept current by the feed of changes. VMs that this process is placing right now are counted at once (`claim`), or all of them would be proposed
 * the same host and all but one would lose.
 */
export interface FleetSnapshot {
  /** `fresh`: with numbers read after this call began, so that a refusal never rests on old ones. */
  propose(vmId: string, request: PlacementRequest, age: 'recent' | 'fresh', move?: MoveClaim): Promise<Proposal>;
  /** Resolves when no claim is open: a refusal may rest on one that is given up after all. */
  claimsSettled(): Promise<void>;
}

/** A decision with what it was made from, as far as that is kept. */
type Decided<Kind extends Placement['kind']> = Extract<Placement, { kind: Kind }> & {
  readonly evidence: EvidenceJson | null;
};

export type Proposal =
  | (Decided<'placed'> & {
      /** Of the host as it was proposed. A host that fits has one. */
      readonly accelerator: Accelerator;
      /** Call exactly once: `kept` after the reservation was committed, `given up` otherwise. */
      readonly settle: (end: 'kept' | 'given up') => void;
    })
  | Decided<'refused'>;

/** A VM that has a place is to get another: its reservation there is told from the one it has by this id. */
export interface MoveClaim {
  readonly reservationId: string;
}

interface Claim {
  /** Of the VM, which has no other reservation; of a move, that of the reservation. */
  readonly id: string;
  readonly vmId: string;
  readonly hostId: string;
  readonly request: PlacementRequest;
  readonly amounts: Amounts;
  /** As others' placement sees the VM; null: no placement looks at it. */
  readonly vm: PlacedVm | null;
  /** The VM where the numbers have it while the claim is taken off them: it is put back there. */
  before: PlacedVm | null;
  /** Where in the host, as it was counted; a proposal like the amounts. */
  numa: NumaPlan;
  isCommitted: boolean;
  /** Is it taken off the numbers we hold now? */
  isSubtracted: boolean;
}

interface Current {
  readonly fleet: Fleet;
  readonly horizonXactId: bigint;
  readonly readAtMs: number;
}

type ReadChanges = (claimIds: readonly string[], sinceXactId: bigint, wantsAllGroups: boolean) => Promise<FleetChanges>;

export class DatabaseFleetSnapshot implements FleetSnapshot {
  readonly #read: ReadChanges;
  readonly #ageMsMax: number;
  readonly #claims = new Map<string, Claim>();
  #current: Current | null = null;
  /** Some group that is known was deleted. */
  #knowsDeletedGroup = false;
  #reading: Promise<Current> | null = null;
  #next: Promise<Current> | null = null;
  #waiters: (() => void)[] = [];

  constructor(read: ReadChanges, options: { readonly ageMsMax?: number } = {}) {
    this.#read = read;
    this.#ageMsMax = options.ageMsMax ?? FLEET_AGE_MS_MAX;
  }

  async propose(
    vmId: string,
    request: PlacementRequest,
    age: 'recent' | 'fresh',
    move: MoveClaim | null = null,
  ): Promise<Proposal> {
    const held = this.#current;
    const isRecent = held !== null && performance.now() - held.readAtMs < this.#ageMsMax;
    const current = age === 'fresh' || !isRecent ? await this.#refresh() : held;
    // From here on without waiting: nobody sees the numbers between the choice and the claim.
    const { fleet } = this.#current ?? current;
    // A VM does not keep itself away from a host.
    const before = fleet.vms.get(vmId) ?? null;
    if (before !== null) fleet.forgetVm(vmId);
    const placement = place(request, fleet);
    const evidence = evidenceOf(request, placement.record, fleet);
    if (before !== null) fleet.applyVm(before);
    if (placement.kind === 'refused') return { ...placement, evidence };
    const claim: Claim = {
      id: move?.reservationId ?? vmId,
      before: null,
      vmId,
      hostId: placement.hostId,
      request,
      amounts: amountsOf(request),
      vm: isLookedAt(request) ? { vmId, hostId: placement.hostId, request, numa: null, mobility: BEING_PLACED } : null,
      numa: [],
      isCommitted: false,
      isSubtracted: false,
    };
    this.#claims.set(claim.id, claim);
    subtract(this.#current ?? current, claim);
    const { accelerator } = fleet.rowOf(fleet.indexOf(placement.hostId));
    if (accelerator === null) throw new TypeError(`host ${placement.hostId} was chosen without an accelerator`);
    return { ...placement, accelerator, evidence, settle: (end) => this.#settle(claim, end) };
  }

  claimsSettled(): Promise<void> {
    if (!this.#hasOpenClaims()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #hasOpenClaims(): boolean {
    for (const claim of this.#claims.values()) if (!claim.isCommitted) return true;
    return false;
  }

  #settle(claim: Claim, end: 'kept' | 'given up'): void {
    if (end === 'kept') {
      claim.isCommitted = true;
    } else {
      this.#claims.delete(claim.id);
      if (this.#current !== null) addBack(this.#current, claim);
    }
    if (this.#hasOpenClaims()) return;
    for (const wake of this.#waiters.splice(0)) wake();
  }

  /** A read that has begun may miss what the caller knows: wait for the one after it, which all who wait share. */
  #refresh(): Promise<Current> {
    if (this.#reading === null) return this.#begin();
    this.#next ??= this.#reading
      .catch(() => null)
      .then(() => {
        this.#next = null;
        return this.#begin();
      });
    return this.#next;
  }

  #begin(): Promise<Current> {
    this.#reading = this.#readCurrent().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  }

  async #readCurrent(): Promise<Current> {
    const readAtMs = performance.now();
    const committedBefore = new Set([...this.#claims.values()].filter((claim) => claim.isCommitted));
    const since = this.#current?.horizonXactId ?? FEED_START;
    const changes = await this.#read([...this.#claims.keys()], since, this.#knowsDeletedGroup);
    const { hosts, horizonXactId, countedClaimIds, vmChanges } = changes;
    // From here on without waiting: whoever proposes sees either all of the change or nothing of it.
    // Off, and on again afterwards: rows replace numbers.
    if (this.#current !== null) for (const claim of this.#claims.values()) addBack(this.#current, claim);
    const fleet = withRows(this.#current?.fleet ?? fleetOf([]), hosts);
    withVms(fleet, vmChanges);
    this.#knowsDeletedGroup = fleet.placementGroups.size > vmChanges.groupCount;
    const current = { fleet, horizonXactId, readAtMs };
    for (const claim of [...this.#claims.values()]) {
      // Committed before the read: it is in the numbers, or it was released since. Either way we need not carry it.
      if (committedBefore.has(claim)) this.#claims.delete(claim.id);
      else if (!countedClaimIds.has(claim.id)) subtract(current, claim);
    }
    this.#current = current;
    return current;
  }
}

/**
 * Rows that are new to the fleet or gone from it make all columns anew, and are therefore taken together; all others are
 * written in place. A revoked host takes no VMs and is left out.
 */
function withRows(fleet: Fleet, rows: readonly HostRow[]): Fleet {
  const isThere = (row: HostRow): boolean => fleet.indexOf(row.hostId) >= 0;
  if (rows.every((row) => isThere(row) === (row.state !== 'revoked'))) {
    for (const row of rows) if (isThere(row)) fleet.applyHostRow(row);
    return fleet;
  }
  const all = new Map([...fleet.rows(), ...rows].map((row) => [row.hostId, row]));
  return fleetOf(
    [...all.values()].filter(({ state }) => state !== 'revoked'),
    {
      hostGroups: [...fleet.hostGroups.values()],
      placementGroups: [...fleet.placementGroups.values()].flat(),
      vms: [...fleet.vms.all()],
    },
  );
}

function withVms(fleet: Fleet, { vms, groups, areAllGroups, hostGroups }: VmChanges): void {
  withHostGroups(fleet, hostGroups);
  for (const { vmId, vm } of vms) {
    if (vm === null) fleet.forgetVm(vmId);
    else fleet.applyVm(vm);
  }
  for (const { groupId, rules } of groups) fleet.applyPlacementGroup(groupId, rules);
  if (!areAllGroups) return;
  const present = new Set(groups.map(({ groupId }) => groupId));
  for (const groupId of fleet.placementGroups.keys()) if (!present.has(groupId)) fleet.forgetPlacementGroup(groupId);
}

function withHostGroups(fleet: Fleet, hostGroups: readonly HostGroup[]): void {
  const present = new Set(hostGroups.map(({ hostGroupId }) => hostGroupId));
  for (const id of fleet.hostGroups.keys()) if (!present.has(id)) fleet.forgetHostGroup(id);
  for (const group of hostGroups)
    if (!isDeepStrictEqual(fleet.hostGroups.get(group.hostGroupId), group)) fleet.applyHostGroup(group);
}

const isLookedAt = ({ groupIds = [], isHighlyAvailable = false }: PlacementRequest): boolean =>
  groupIds.length > 0 || isHighlyAvailable;
const BEING_PLACED = { no: 'it is being placed' } as const;

const subtract = (current: Current, claim: Claim): void => {
  claim.isSubtracted = true;
  const index = current.fleet.indexOf(claim.hostId);
  // Anew for the numbers of now: the nodes that were free when it was proposed need not be.
  claim.numa = index < 0 ? [] : (planNuma(current.fleet, index, claim.request) ?? []);
  current.fleet.reserve(claim.hostId, claim.amounts, -1, claim.numa);
  if (claim.vm === null) return;
  claim.before = current.fleet.vms.get(claim.vmId) ?? null;
  current.fleet.applyVm(claim.vm);
};

const addBack = (current: Current, claim: Claim): void => {
  if (claim.isSubtracted) {
    current.fleet.reserve(claim.hostId, claim.amounts, 1, claim.numa);
    if (claim.vm !== null && claim.before === null) current.fleet.forgetVm(claim.vmId);
    if (claim.vm !== null && claim.before !== null) current.fleet.applyVm(claim.before);
  }
  claim.isSubtracted = false;
};
