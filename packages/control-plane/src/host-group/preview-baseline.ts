import {
  AFFECTED_VMS_SHOWN_MAX,
  type BaselinePreview,
  DomainError,
  type HostGroupBaseline,
  type HostGroupId,
  type PreviewBaselineRequest,
} from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import type { Database, Tx } from '../database/database.js';
import { notFound, requireWholeSite } from '../token/project-scope.js';
import { type BaselineLoss, baselineOf, type CpuOffer, commonOffer, lossBetween, offerOf } from './cpu-baseline.js';
import {
  findAffectedVms,
  findHostGroup,
  findHostsForGroup,
  findMembers,
  type GroupHost,
  type LostOnHosts,
} from './host-group.store.js';

const offer = ({ accelerator, facts }: GroupHost): CpuOffer | null => offerOf(accelerator, facts);
const offerOfAll = (hosts: readonly GroupHost[]): CpuOffer | null => hosts.map(offer).reduce(commonOffer, null);

/** What all members can give to guests, by what their agents said last. Throws not_found. */
export async function getCpuBaseline(cp: ControlPlane, actor: Actor, groupId: HostGroupId): Promise<HostGroupBaseline> {
  requireWholeSite(actor);
  if ((await findHostGroup(cp.database, groupId)) === null) throw notFound('the host group');
  const members = await findMembers(cp.database, groupId);
  const unknownHostIds = members.filter((host) => offer(host) === null).map(({ id }) => id);
  return { baseline: baselineOf(offerOfAll(members)), unknownHostIds };
}

/** What the group would lose by hosts that join. Changes nothing. Throws what joining itself would: not_found, conflict_state. */
export async function previewBaseline(
  cp: ControlPlane,
  actor: Actor,
  groupId: HostGroupId,
  request: PreviewBaselineRequest,
): Promise<BaselinePreview> {
  requireWholeSite(actor);
  if ((await findHostGroup(cp.database, groupId)) === null) throw notFound('the host group');
  const joining = await joiningHosts(cp.database, groupId, request.hostIds, 'body.hostIds');
  return previewOf(cp.database, await findMembers(cp.database, groupId), joining);
}

/**
 * The hosts that would become members; who is one already is left out. Throws not_found for a host that is not there, and
 * conflict_state for one that is in another group, was revoked, or has not said what its processor can do.
 */
export async function joiningHosts(
  database: Database | Tx,
  groupId: string,
  hostIds: readonly string[],
  field: string,
): Promise<GroupHost[]> {
  const wanted = [...new Set(hostIds.map((id) => id.toLowerCase()))];
  const found = await findHostsForGroup(database, wanted);
  if (found.length < wanted.length) throw notFound('a host', field);
  const joining = found.filter((host) => host.hostGroupId !== groupId);
  for (const host of joining) {
    const message = joinRefusal(host);
    if (message !== null) {
      throw new DomainError('conflict_state', `host ${host.name} cannot join: ${message}`, {
        details: { hostId: host.id, fields: [{ field, message: `${host.name}: ${message}` }] },
      });
    }
  }
  return joining;
}

function joinRefusal(host: GroupHost): string | null {
  if (host.hostGroupId !== null) return `it is in the group ${host.groupName}; take it out of that first`;
  if (host.isRevoked) return 'it was revoked; enrol it anew';
  if (offer(host) !== null) return null;
  return host.facts === null
    ? 'it has never reported; start its agent'
    : 'it has not said what its processor can give to guests: upgrade its agent, or see the finding cpu-models';
}

export async function previewOf(
  database: Database | Tx,
  members: readonly GroupHost[],
  joining: readonly GroupHost[],
): Promise<BaselinePreview> {
  const held = offerOfAll(members);
  const before = baselineOf(held);
  const after = baselineOf(commonOffer(held, offerOfAll(joining)));
  const loss = lossBetween(before, after);
  const lost: LostOnHosts[] = [
    { hostIds: members.map(({ id }) => id), ...lostNames(loss) },
    // A joining host brings its own VMs, which run on what it has.
    ...joining.map((host) => ({ hostIds: [host.id], ...lostNames(lossBetween(baselineOf(offer(host)), after)) })),
  ];
  const { count, vms } = await findAffectedVms(database, lost, AFFECTED_VMS_SHOWN_MAX);
  const isLoss = Object.values(loss).some((names) => names.length > 0);
  return { before, after, ...loss, isLoss, affectedVmCount: count, affectedVms: vms };
}

const lostNames = (loss: BaselineLoss) => ({ models: loss.modelsLost, machineTypes: loss.machineTypesLost });
