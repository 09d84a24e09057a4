import { LOSS_SET_COUNT_MAX, lossSetCount } from '@kvorum/scheduler';
import {
  type BaselinePreview,
  type CreateHostGroupRequest,
  DomainError,
  type HostGroup,
  type HostGroupId,
  newId,
  type UpdateHostGroupRequest,
} from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { type Tx, withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { notFound, requireWholeSite } from '../token/project-scope.js';
import {
  addMembers,
  deleteHostGroupRow,
  findHostGroup,
  findMembers,
  insertHostGroup,
  lockHostGroup,
  removeMembers,
  writeHostGroup,
} from './host-group.store.js';
import { joiningHosts, previewOf } from './preview-baseline.js';

/** Throws already_exists, and what joining throws. */
export async function createHostGroup(
  cp: ControlPlane,
  actor: Actor,
  request: CreateHostGroupRequest,
): Promise<HostGroup> {
  requireWholeSite(actor);
  const id = newId<HostGroupId>();
  const { name, description, policy, reserve, hostIds, allowBaselineLoss } = request;
  return withTransaction(cp.database, async (tx) => {
    if (!(await insertHostGroup(tx, { id, name, description, policy, reserve, now: cp.clock() })))
      throw nameTaken(name);
    await join(tx, id, hostIds, { allowBaselineLoss, field: 'body.hostIds' });
    return changed(tx, actor, id, 'created');
  });
}

/**
 * Changes name, description and members. A host that takes something away from the baseline joins only with
 * `allowBaselineLoss`; the refusal says what would be lost. Asking for what is there already counts as no change of members.
 * Throws not_found, already_exists, precondition_failed, conflict_state.
 */
export async function updateHostGroup(
  cp: ControlPlane,
  actor: Actor,
  groupId: HostGroupId,
  request: UpdateHostGroupRequest,
  options: { ifMatch?: number | undefined } = {},
): Promise<HostGroup> {
  requireWholeSite(actor);
  return withTransaction(cp.database, async (tx) => {
    const before = await lockHostGroup(tx, groupId);
    if (before === null) throw notFound('the host group');
    if (options.ifMatch !== undefined && options.ifMatch !== before.generation) {
      throw new DomainError('precondition_failed', `the host group is at generation ${before.generation}`, {
        details: { generation: before.generation },
      });
    }
    const { name, description, policy, reserve, addHostIds, removeHostIds, allowBaselineLoss } = request;
    // First out, then in: one request may replace a host that takes something away.
    if (removeHostIds.length > 0) await removeMembers(tx, groupId, removeHostIds);
    await join(tx, groupId, addHostIds, { allowBaselineLoss, field: 'body.addHostIds' });
    if (!(await writeHostGroup(tx, groupId, { name, description, policy, reserve, now: cp.clock() })))
      throw nameTaken(name ?? '');
    return changed(tx, actor, groupId, 'changed');
  });
}

/** Throws not_found, and in_use while hosts are in it. */
export async function deleteHostGroup(cp: ControlPlane, actor: Actor, groupId: HostGroupId): Promise<void> {
  requireWholeSite(actor);
  await withTransaction(cp.database, async (tx) => {
    const group = await lockHostGroup(tx, groupId);
    if (group === null) throw notFound('the host group');
    const hostCount = group.hostIds.length;
    if (hostCount > 0) {
      throw new DomainError('in_use', `${hostCount} hosts are in this group; take them out first`, {
        details: { hostCount, hostIds: group.hostIds.slice(0, HOST_IDS_SHOWN_MAX) },
      });
    }
    await recordChange(tx, actor, group, 'deleted');
    await deleteHostGroupRow(tx, groupId);
  });
}

const HOST_IDS_SHOWN_MAX = 20;

async function join(
  tx: Tx,
  groupId: string,
  hostIds: readonly string[],
  { allowBaselineLoss, field }: { allowBaselineLoss: boolean; field: string },
): Promise<void> {
  const joining = await joiningHosts(tx, groupId, hostIds, field);
  if (joining.length === 0) return;
  const preview = await previewOf(tx, await findMembers(tx, groupId), joining);
  if (preview.isLoss && !allowBaselineLoss) throw baselineLoss(preview, field);
  const added = await addMembers(
    tx,
    groupId,
    joining.map(({ id }) => id),
  );
  if (added === joining.length) return;
  throw new DomainError(
    'conflict_state',
    'another request has just put one of these hosts into a group; look at them anew',
  );
}

function baselineLoss(preview: BaselinePreview, field: string): DomainError {
  const { featuresLost, modelsLost, machineTypesLost, affectedVmCount } = preview;
  const lost = [
    ...some(featuresLost, 'features'),
    ...some(modelsLost, 'CPU models'),
    ...some(machineTypesLost, 'machine types'),
  ].join('; ');
  const vms = `${affectedVmCount} VMs would not run on every host of it any more`;
  const message = `the group would lose ${lost}; ${vms}. Join with allowBaselineLoss, or use a host that has them`;
  return new DomainError('conflict_state', message, { details: { preview, fields: [{ field, message }] } });
}

const NAMES_SHOWN_MAX = 5;

function some(names: readonly string[], what: string): string[] {
  if (names.length === 0) return [];
  const shown = names.slice(0, NAMES_SHOWN_MAX).join(', ');
  return [`${names.length} ${what} (${shown}${names.length > NAMES_SHOWN_MAX ? ', …' : ''})`];
}

async function changed(tx: Tx, actor: Actor, groupId: string, what: 'created' | 'changed'): Promise<HostGroup> {
  const group = await findHostGroup(tx, groupId);
  if (group === null) throw new TypeError(`host group ${groupId} is locked by this transaction`);
  requireTriable(group);
  await recordChange(tx, actor, group, what);
  return group;
}

/** Each set of hosts that may be lost is tried at each decision. Throws conflict_state. */
function requireTriable({ name, hostIds, reserve: { hostFailures } }: HostGroup): void {
  const count = lossSetCount(hostIds.length, hostFailures);
  if (count <= LOSS_SET_COUNT_MAX) return;
  const message = `${hostIds.length} hosts can be lost ${hostFailures} at a time in ${count} ways, and ${LOSS_SET_COUNT_MAX} can be tried`;
  throw new DomainError('conflict_state', `host group ${name}: ${message}. Ask for less, or split the group`, {
    details: { fields: [{ field: 'body.reserve.hostFailures', message }] },
  });
}

const recordChange = (
  tx: Tx,
  actor: Actor,
  { id, name, policy, reserve, hostIds }: HostGroup,
  what: 'created' | 'changed' | 'deleted',
): Promise<void> =>
  recordEvent(tx, {
    type: `host-group.${what}`,
    projectId: null,
    resourceKind: 'host-group',
    resourceId: id,
    data: { name, policy, reserve, hostCount: hostIds.length, by: actor.tokenName },
  });

const nameTaken = (name: string): DomainError =>
  new DomainError('already_exists', `a host group called ${name} is there already`);
