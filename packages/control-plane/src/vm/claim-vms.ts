import {
  BALLOON_SHARES_DEFAULT,
  DomainError,
  newId,
  type Operation,
  type OperationId,
  type VmId,
  type VolumeId,
} from '@kvorum/schema';
import type { Actor, Idempotency } from '../control-plane.js';
import { type Database, type Tx, withTransaction } from '../database/database.js';
import { JointTransaction } from '../database/joint-transaction.js';
import { recordEvents } from '../event/event.store.js';
import { holdFlavors } from '../flavor/flavor.store.js';
import { reserve } from '../host/reservation.store.js';
import { holdImages } from '../image/image.store.js';
import { claimIdempotencyKeys, findIdempotentAnswer, type IdempotentAnswer } from '../operations/idempotency.store.js';
import { recordOperations } from '../operations/operation.store.js';
import { insertPlacements } from '../placement/placement.store.js';
import { findBrokenRule, type Joining } from '../vm-group/find-broken-rule.js';
import { holdVmGroups } from '../vm-group/vm-group.store.js';
import type { NewVmRequest } from '../vm-template/fork-request.js';
import { holdTemplates } from '../vm-template/vm-template.store.js';
import { ACCEPTED_STATUS } from './accepted-operation.js';
import { claimPorts } from './card-ports.js';
import { takeAddressesFor } from './claim-addresses.js';
import { claimPooledDisks } from './claim-pooled-disks.js';
import { localDisksOf, pooledClaimOf, pooledVolumesOf } from './claimed-disks.js';
import type { WantedCloudInit } from './cloud-init.js';
import { createVmOperation } from './create-vm.operation.js';
import { type ProposedHost, RoomLost } from './place-vm.js';
import type { AttachedVolume } from './pooled-disks.js';
import { requestOfVm } from './request-of-vm.js';
import { insertUserData } from './user-data.store.js';
import { insertVms } from './vm.store.js';
import { imageIdsOf, type VmParts, vmPartsOf } from './vm-parts.js';
import { takeQuotaFor } from './vm-quota.js';

/** A VM that is to be. */
export interface NewVmClaim {
  readonly ids: { readonly vmId: VmId; readonly volumeId: VolumeId; readonly operationId: OperationId };
  readonly actor: Actor;
  /** With ids, slots and addresses of its devices, and without what is secret: the request is kept while it waits. */
  readonly request: NewVmRequest;
  readonly cloudInit: WantedCloudInit;
  readonly idempotency: Idempotency | undefined;
  /** As read before, without locks. */
  readonly parts: VmParts;
  /** Volumes that are to become disks of it. */
  readonly attached: readonly AttachedVolume[];
  readonly now: Date;
  /** Null: it is to wait for a host. */
  readonly proposed: ProposedHost | null;
}

/** And the host that was proposed for it. */
export interface VmClaim extends NewVmClaim {
  readonly proposed: ProposedHost;
}

/** `stored`: the same request was accepted before, and nothing was done. */
export type ClaimedVm =
  | { readonly stored: IdempotentAnswer }
  | { readonly stored: null; readonly operation: Operation };

/** A transaction of so many VMs writes some megabytes of decisions, and its host rows are locked for some ms. */
const VMS_PER_TRANSACTION_MAX = 64;
/** The second one writes its rows while the first one commits. */
const TRANSACTIONS_AT_A_TIME = 2;

/** One per pool of connections. */
const shared = new WeakMap<Database, JointTransaction<VmClaim, ClaimedVm>>();

/**
 * Takes quota and room for a VM and records it with its operation: all of it or nothing. VMs that are claimed at the same
 * time share a transaction, for what a claim costs is statements and a commit. Throws RoomLost, quota_exceeded,
 * already_exists, idempotency_conflict, and what vmPartsOf throws.
 */
export function claimVm(database: Database, claim: VmClaim): Promise<ClaimedVm> {
  let transactions = shared.get(database);
  if (transactions === undefined) {
    transactions = new JointTransaction({
      run: (claims) => withTransaction(database, (tx) => claimAll(tx, claims)),
      memberCountMax: VMS_PER_TRANSACTION_MAX,
      concurrency: TRANSACTIONS_AT_A_TIME,
    });
    shared.set(database, transactions);
  }
  return transactions.join(claim);
}

/** Somebody's key stands for a request already: whose, is found out when each is tried alone. */
class KeyTaken extends Error {}

/**
 * Writes what nobody else knows of yet, and then takes quota and room: locks keys, projects, VM groups, hosts and
 * addresses, in this order, which is that of an update too, and each in the order of ids. The hosts late: VMs are packed, so
 * many requests want the same host's row, and each waits for as long as the one before it has it.
 */
async function claimAll(tx: Tx, claims: readonly VmClaim[]): Promise<ClaimedVm[]> {
  if (!(await claimIdempotencyKeys(tx, claims.map(keyOf)))) {
    const [only, ...others] = claims;
    if (only === undefined || others.length > 0) throw new KeyTaken();
    const stored = await findIdempotentAnswer(tx, only.actor.tokenId, only.idempotency);
    if (stored === null) throw new TypeError('a key that another transaction holds has a row');
    return [{ stored }];
  }
  const held = await holdParts(tx, claims);
  const operations = await recordVms(tx, held);
  await insertPlacements(tx, held.map(placementOf));
  const parts = held.map((claim) => claim.parts);
  await takeQuotaFor(tx, parts);
  if ((await findBrokenRule(tx, held.flatMap(joiningOf))) !== null) throw new RoomLost();
  if (!(await reserve(tx, held.map(roomOf)))) throw new RoomLost();
  await claimPooledDisks(tx, held.map(pooledClaimOf));
  await takeAddressesFor(tx, held);
  return operations.map((operation) => ({ stored: null, operation }));
}

export const keyOf = ({ actor, idempotency, ids }: NewVmClaim) => ({
  tokenId: actor.tokenId,
  idempotency,
  answer: { status: ACCEPTED_STATUS, resourceId: ids.vmId, operationId: ids.operationId },
});

/** Held now: flavors, images, templates and VM groups cannot be deleted any more until the VMs name them. */
export async function holdParts<Claim extends NewVmClaim>(tx: Tx, claims: readonly Claim[]): Promise<Claim[]> {
  const flavors = await holdFlavors(tx, [...new Set(claims.map(({ request }) => request.flavorId))]);
  const images = await holdImages(tx, [...new Set(claims.flatMap(({ request }) => imageIdsOf(request)))]);
  const templates = await holdTemplates(tx, [...new Set(claims.flatMap(({ request }) => request.templateId ?? []))]);
  const groups = await holdVmGroups(tx, [...new Set(claims.flatMap(({ request }) => request.vmGroupId ?? []))]);
  return claims.map((claim) => {
    const { actor, request, parts, attached } = claim;
    const found = {
      ...{ project: parts.project, images, attached, flavor: flavors.get(request.flavorId) ?? null },
      template: templates.get(request.templateId ?? '') ?? null,
      vmGroup: groups.get(request.vmGroupId ?? '') ?? null,
    };
    return { ...claim, parts: vmPartsOf(actor, request, found) };
  });
}

const placementOf = ({ actor, ids, request, parts, proposed: { record, evidence } }: VmClaim) => ({
  id: newId(),
  projectId: parts.project.id,
  vmId: ids.vmId,
  vmName: request.name,
  requestedBy: actor.tokenName,
  record,
  evidence,
});

const joiningOf = ({ ids, request: { vmGroupId }, proposed }: VmClaim): Joining[] =>
  vmGroupId === undefined ? [] : [{ vmId: ids.vmId, vmGroupId, hostId: proposed.hostId }];

const roomOf = ({ ids, request, parts, proposed: { hostId, accelerator } }: VmClaim) => ({
  ...requestOfVm(request, parts.flavor, parts.diskBytes),
  ...{ vmId: ids.vmId, hostId, accelerator },
  smt: request.hardware.cpuPolicy.smt,
});

/** VMs with their operations, which it returns in the order of the claims, ports and events, without quota and room. Throws already_exists, and what claimPorts throws. */
export async function recordVms(tx: Tx, claims: readonly NewVmClaim[]): Promise<Operation[]> {
  const operations = await recordOperations(
    tx,
    claims.map((claim) => ({
      definition: createVmOperation,
      input: inputOf(claim),
      projectId: claim.parts.project.id,
      resourceKind: 'vm' as const,
      resourceId: claim.ids.vmId,
      createdBy: claim.actor.tokenName,
      now: claim.now,
      operationId: claim.ids.operationId,
    })),
  );
  const insertedIds = await insertVms(tx, claims.map(rowOf));
  const taken = claims.find(({ ids }) => !insertedIds.has(ids.vmId));
  if (taken !== undefined) {
    const { parts, request } = taken;
    throw new DomainError('already_exists', `project ${parts.project.name} has a VM called ${request.name} already`);
  }
  await insertUserData(tx, claims);
  await claimPorts(
    tx,
    claims.map(({ actor, ids, request, parts, now }) => ({
      ...{ actor, now, vmId: ids.vmId, vmName: request.name, projectId: parts.project.id, shapes: [parts] },
    })),
  );
  await recordEvents(tx, claims.map(eventOf));
  return operations;
}

const specOf = ({ request, parts, proposed, ids, cloudInit }: NewVmClaim) => ({
  vmId: ids.vmId,
  projectId: parts.project.id,
  hostId: proposed?.hostId ?? null,
  name: request.name,
  vcpuCount: parts.flavor.vcpuCount,
  memoryBytes: parts.flavor.memoryBytes,
  accelerator: proposed?.accelerator ?? null,
  balloon: parts.balloon,
  hardware: parts.hardware,
  cloudInit: cloudInit.record,
  templateId: request.templateId ?? null,
  // Each start is one epoch; a VM that is made stopped has not had any.
  epoch: request.start ? 1 : 0,
});

const inputOf = (claim: NewVmClaim) => ({
  ...specOf(claim),
  generation: 1,
  rootVolumeId: claim.ids.volumeId,
  pooledVolumes: pooledVolumesOf(claim),
  diskBytes: claim.parts.rootDiskBytes,
  media: [...claim.parts.media],
  image: {
    imageId: claim.parts.image.id,
    sha256: claim.parts.image.sha256,
    sizeBytes: claim.parts.image.sizeBytes ?? 0,
  },
  isStarted: claim.request.start,
});

const rowOf = (claim: NewVmClaim) => ({
  ...claim.ids,
  ...specOf(claim),
  balloonShares: claim.request.balloon?.shares ?? BALLOON_SHARES_DEFAULT,
  flavorId: claim.parts.flavor.id,
  imageId: claim.parts.image.id,
  localDisks: localDisksOf(claim),
  labels: claim.request.labels,
  vmGroupId: claim.request.vmGroupId ?? null,
  highAvailability: claim.request.highAvailability,
});

const eventOf = ({ ids, request, parts, proposed }: NewVmClaim) => ({
  type: 'vm.state',
  projectId: parts.project.id,
  resourceKind: 'vm',
  resourceId: ids.vmId,
  data: {
    from: null,
    to: 'creating',
    name: request.name,
    hostId: proposed?.hostId ?? null,
    operationId: ids.operationId,
  },
});
