import { isDeepStrictEqual } from 'node:util';
import { fleetOf, type PlacementRecord, place } from '@kvorum/scheduler';
import { DomainError, type PlacementId, type PlacementReplay } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { requireWholeSite } from '../token/project-scope.js';
import { visiblePlacement } from './placements.js';
import { shownDecision } from './shown-decision.js';

/**
 * Decides again what was decided, from the request and the hosts that were kept with the record, and compares. What was only
 * counted then (the hosts that the record does not name) cannot be counted again, and is not compared. Throws
 * conflict_state for a decision without evidence, not_found, forbidden.
 */
export async function replayPlacement(
  cp: Pick<ControlPlane, 'database'>,
  actor: Actor,
  placementId: PlacementId,
): Promise<PlacementReplay> {
  const row = await visiblePlacement(cp, actor, placementId);
  requireWholeSite(actor);
  const { evidence, record: stored } = row;
  if (evidence === null) {
    throw new DomainError('conflict_state', 'what this placement was decided from was not kept; it cannot be replayed');
  }
  // As JSON gives it back: what was stored went through it as well.
  const replayed = JSON.parse(
    JSON.stringify(place(evidence.request, fleetOf(evidence.hosts, evidence.facts)).record),
  ) as PlacementRecord;
  const differences = differencesOf(stored, replayed);
  return {
    placementId,
    isSame: differences.length === 0,
    differences,
    replayedHostCount: evidence.hosts.length,
    isComplete: evidence.hosts.length === stored.hostCount,
    decision: shownDecision(actor, replayed),
  };
}

/** Compared in this order, so that the first difference named is the one that matters most. */
const COMPARED = ['outcome', 'chosen', 'needed', 'margin', 'relaxation', 'verdicts'] as const;

export const differencesOf = (stored: PlacementRecord, replayed: PlacementRecord): string[] =>
  COMPARED.filter((part) => !isDeepStrictEqual(stored[part], replayed[part])).map((part) =>
    part === 'outcome'
      ? `the outcome was ${stored.outcome} and is ${replayed.outcome}`
      : part === 'chosen'
        ? `the host was ${stored.chosen?.hostName ?? 'none'} and is ${replayed.chosen?.hostName ?? 'none'}, or its score differs`
        : `${part} differ`,
  );
