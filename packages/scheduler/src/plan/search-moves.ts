import type { Fleet } from '../fleet/fleet.js';
import { type HostSet, membersOf } from '../fleet/host-set.js';
import type { Step } from './move.js';
import { anchorOf, moveUnit, unitOf } from './move-unit.js';
import { type Trial, tried } from './trial.js';

export interface SearchBounds {
  readonly stateCountMax: number;
  readonly moveCountMax: number;
}

export type Search =
  | { readonly kind: 'found'; readonly steps: readonly Step[] }
  /** Every state that can be reached was looked at. */
  | { readonly kind: 'none' }
  | { readonly kind: 'gave-up' };

interface State {
  readonly steps: readonly Step[];
  readonly moveCount: number;
}

/**
 * Breadth first over what can be reached by moves that keep every rule: finds a plan with the fewest steps, or proves that
 * there is none, or gives up at its bound. For what simple planning cannot do, such as an exchange of two VMs through a third
 * host. The number of states grows as hosts to the power of VMs, so large fleets end at the bound.
 */
export function searchMoves(
  fleet: Fleet,
  targets: HostSet,
  isGoal: (fleet: Fleet) => boolean,
  reason: string,
  bounds: SearchBounds,
): Search {
  const hosts = [...membersOf(targets)];
  const seen = new Set<string>();
  let frontier: State[] = [{ steps: [], moveCount: 0 }];
  let isCutShort = false;
  while (frontier.length > 0) {
    const next: State[] = [];
    for (const state of frontier) {
      if (seen.size >= bounds.stateCountMax) return { kind: 'gave-up' };
      const found = tried(fleet, (trial): Step[] | null => {
        replaySteps(trial, state.steps);
        for (const step of stepsFrom(trial, hosts, reason)) {
          const { mark } = trial;
          redo(trial, step);
          const key = stateKey(fleet);
          const moveCount = state.moveCount + step.moves.length;
          if (!seen.has(key)) {
            if (moveCount > bounds.moveCountMax) isCutShort = true;
            else {
              seen.add(key);
              if (isGoal(fleet)) return [...state.steps, step];
              next.push({ steps: [...state.steps, step], moveCount });
            }
          }
          trial.rollback(mark);
        }
        return null;
      });
      if (found !== null) return { kind: 'found', steps: found };
    }
    frontier = next;
  }
  return { kind: isCutShort ? 'gave-up' : 'none' };
}

/** Every step that is possible now. */
function stepsFrom(trial: Trial, hosts: readonly number[], reason: string): Step[] {
  const { fleet } = trial;
  const steps: Step[] = [];
  const done = new Set<string>();
  for (const { vmId } of [...fleet.vms.all()].sort((left, right) => (left.vmId < right.vmId ? -1 : 1))) {
    const vm = fleet.vms.get(vmId);
    if (vm === undefined || done.has(vmId)) continue;
    const unit = unitOf(fleet, vm);
    for (const member of unit) done.add(member.vmId);
    if (anchorOf(unit) !== null) continue;
    for (const to of hosts) {
      if (fleet.hostIds[to] === vm.hostId) continue;
      const { mark } = trial;
      const moves = moveUnit(trial, unit, to, reason);
      if (moves === null) continue;
      steps.push({ moves });
      trial.rollback(mark);
    }
  }
  return steps;
}

/** Steps that were possible when they were found, in the same state. */
export function replaySteps(trial: Trial, steps: readonly Step[]): void {
  for (const step of steps) redo(trial, step);
}

function redo(trial: Trial, { moves }: Step): void {
  const { fleet } = trial;
  const unit = moves.flatMap(({ vmId }) => fleet.vms.get(vmId) ?? []);
  const [first] = moves;
  if (first === undefined || moveUnit(trial, unit, fleet.indexOf(first.toHostId), first.reason) === null)
    throw new RangeError(`a step of the plan does not fit where it was found to: VM ${first?.vmId}`);
}

const stateKey = (fleet: Fleet): string =>
  [...fleet.vms.all()]
    .map(({ vmId, hostId }) => `${vmId}@${hostId}`)
    .sort()
    .join(' ');
