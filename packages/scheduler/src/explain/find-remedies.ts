import type { NamedFilter } from '../bind-rules.js';
import type { Fleet } from '../fleet/fleet.js';
import { membersOf } from '../fleet/host-set.js';
import { RELAXATION_COUNT_MAX, type Remedy } from '../placement.js';
import type { Scan } from '../scan-hosts.js';
import { findMoves } from './find-moves.js';
import { rejectedByOneAlone } from './rejected-by-one.js';

const HOST_NAME_COUNT_MAX = 3;

interface Weighed {
  readonly distance: number;
  readonly remedy: Remedy;
}

/**
 * The single changes after which the VM would fit, the smallest first: for each rule the hosts that nothing else speaks
 * against, and VMs that could make room by moving. Empty where more than one thing would have to change.
 */
export function findRemedies(scan: Scan): readonly Remedy[] {
  const alone = rejectedByOneAlone(scan);
  const found = alone.flatMap(({ filter, hosts }) => {
    const members = membersOf(hosts);
    if (members.length === 0) return [];
    return filter.amount === undefined
      ? ruleRemedies(filter, members, scan.fleet)
      : [roomRemedy(filter, filter.amount, members, scan.fleet)];
  });
  found.push(...findMoves(scan, alone).map((remedy) => ({ distance: MOVE_DISTANCE, remedy })));
  return found
    .sort((left, right) => left.distance - right.distance)
    .slice(0, RELAXATION_COUNT_MAX)
    .map(({ remedy }) => remedy);
}

/** A move costs no one anything but time: before a rule that is dropped, after a small lack of room. */
const MOVE_DISTANCE = 0.5;

function roomRemedy(
  filter: NamedFilter,
  amount: NonNullable<NamedFilter['amount']>,
  members: Int32Array,
  fleet: Fleet,
): Weighed {
  let most = 0;
  for (const index of members) most = Math.max(most, amount.free(index));
  const nearest = [...members].filter((index) => amount.free(index) === most);
  const missing = amount.format(amount.needed - most, 'up');
  const noun = filter.countedAs(nearest[0] as number).replace(/^short of /, '');
  return {
    distance: filter.distance(nearest[0] as number),
    remedy: {
      kind: 'more-room',
      filter: filter.name,
      change: `${missing} more of free ${noun} on ${onHosts(nearest, fleet)}, or ask for ${missing} less`,
      hostCount: nearest.length,
      hostNames: namesOf(nearest, fleet),
    },
  };
}

/** Hosts that need the same change are counted together. */
function ruleRemedies(filter: NamedFilter, members: Int32Array, fleet: Fleet): Weighed[] {
  const { dropped } = filter;
  const all = [...members];
  const nearest = all.reduce((best, index) => (filter.distance(index) < filter.distance(best) ? index : best));
  const change =
    dropped ?? (all.length === 1 ? filter.change(nearest) : `${filter.change(nearest)}, or another of these`);
  const remedy: Remedy = {
    kind: 'drop-rule',
    filter: filter.name,
    change: `${change} (${all.length === 1 ? `${fleet.names[nearest]} fits` : `${all.length} hosts fit`} then)`,
    hostCount: all.length,
    hostNames: namesOf([nearest, ...all.filter((index) => index !== nearest)], fleet),
  };
  return [{ distance: filter.distance(nearest), remedy }];
}

const onHosts = (indexes: readonly number[], fleet: Fleet): string =>
  indexes.length === 1 ? (fleet.names[indexes[0] as number] as string) : `any of ${indexes.length} hosts`;

const namesOf = (indexes: readonly number[], fleet: Fleet): string[] =>
  indexes.slice(0, HOST_NAME_COUNT_MAX).map((index) => fleet.names[index] as string);
