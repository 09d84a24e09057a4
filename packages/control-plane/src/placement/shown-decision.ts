import { NO_AMOUNTS, type PlacementRecord } from '@kvorum/scheduler';
import type {
  HostId,
  Placement,
  PlacementDecision,
  PlacementId,
  PlacementOutcome,
  ProjectId,
  VmId,
} from '@kvorum/schema';
import type { Actor } from '../actor.js';
import type { PlacementRow } from './placement.store.js';

/** As an earlier release stored it: what it did not say yet is missing. */
type StoredRecord = Pick<PlacementRecord, 'outcome' | 'needed' | 'hostCount' | 'candidateCount' | 'rejections'> &
  Pick<PlacementRecord, 'verdicts' | 'omittedVerdictCount' | 'chosen' | 'relaxation' | 'summary'> &
  Partial<Pick<PlacementRecord, 'inputDigest' | 'contradictions' | 'margin' | 'remedies'>>;

/**
 * A decision as the actor may see it. People of one project are told how many hosts refused and why, not which hosts the
 * site has nor whose VMs are on them; the host that their own VM is on they know from the VM itself.
 */
export function shownDecision(actor: Actor, record: StoredRecord): PlacementDecision {
  const { outcome, summary, hostCount, candidateCount, rejections, chosen, omittedVerdictCount } = record;
  const { relaxation, verdicts, inputDigest = null, contradictions = [], margin = null, remedies = [] } = record;
  const counts = {
    outcome,
    needed: { ...NO_AMOUNTS, ...record.needed },
    inputDigest,
    contradictions: [...contradictions],
    hostCount,
    candidateCount,
    rejections: rejections.map(({ filter, rejected }) => ({ filter, rejected })),
    chosen: chosen === null ? null : { ...chosen, hostId: chosen.hostId as HostId },
    margin,
  };
  if (actor.projectId !== null) {
    return {
      ...counts,
      summary: chosen === null ? summaryOfCounts(record) : summary,
      contradictions: [],
      verdicts: [],
      omittedVerdictCount: hostCount,
      relaxation: null,
      remedies: [],
      isLimited: true,
    };
  }
  return {
    ...counts,
    summary,
    verdicts: verdicts.map((verdict) => ({
      ...verdict,
      hostId: verdict.hostId as HostId,
      objections: [...verdict.objections],
    })),
    omittedVerdictCount,
    relaxation:
      relaxation === null
        ? null
        : { ...relaxation, hostId: relaxation.hostId as HostId, changes: [...relaxation.changes] },
    remedies: remedies.map((remedy) => ({ ...remedy, hostNames: [...remedy.hostNames] })),
    isLimited: false,
  };
}

/** A refusal without the names of hosts. */
export function summaryOfCounts({ rejections }: Pick<PlacementRecord, 'rejections'>): string {
  const reasons = rejections.map(({ filter, rejected }) => `${filter} ${rejected}`).join(', ');
  return `no host has room for it (hosts that refused: ${reasons || 'none'})`;
}

export const shownPlacement = (actor: Actor, row: PlacementRow): Placement => ({
  id: row.id as PlacementId,
  outcome: row.outcome as PlacementOutcome,
  projectId: row.projectId as ProjectId,
  vmId: row.vmId as VmId | null,
  vmName: row.vmName,
  hostId: row.hostId as HostId | null,
  requestedBy: row.requestedBy,
  decision: shownDecision(actor, row.record),
  createdAt: row.createdAt.toISOString(),
});
