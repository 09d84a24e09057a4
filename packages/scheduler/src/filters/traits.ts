import { remedyOfTrait } from '@kvorum/schema';
import type { BoundFilter, Filter } from '../filter.js';
import { dropHosts, hasHost } from '../fleet/host-set.js';
import { LABEL } from '../fleet/labels.js';
import { allLabels } from './by-labels.js';

/** The host has every trait required and none that is forbidden. */
export const traits: Filter = {
  name: 'traits',
  bind({ requiredTraits = [], forbiddenTraits = [] }, fleet) {
    if (requiredTraits.length + forbiddenTraits.length === 0) return null;
    const required = allLabels(
      fleet,
      requiredTraits.map((trait) => ({ label: LABEL.trait(trait), name: trait })),
      { missing: (names) => `without trait ${names}`, change: (names) => `do not require trait ${names}` },
    );
    const missingAt = (index: number): string[] =>
      requiredTraits.filter((trait) => !hasHost(fleet.labels.of(LABEL.trait(trait)), index));
    const forbidden = forbiddenTraits.map((trait) => ({ trait, set: fleet.labels.of(LABEL.trait(trait)) }));
    const present = (index: number): string =>
      forbidden
        .filter(({ set }) => hasHost(set, index))
        .map(({ trait }) => trait)
        .join(' and ');
    const explain = (say: 'countedAs' | 'reason' | 'change', index: number, otherwise: string): string =>
      required.admits(index) ? otherwise : required[say](index);
    const bound: BoundFilter = {
      restrict: (hosts) => {
        required.restrict(hosts);
        for (const { set } of forbidden) dropHosts(hosts, set);
      },
      admits: (index) => required.admits(index) && !forbidden.some(({ set }) => hasHost(set, index)),
      countedAs: (index) => explain('countedAs', index, `with forbidden trait ${present(index)}`),
      reason: (index) => {
        const reason = explain('reason', index, `the host has the forbidden trait ${present(index)}`);
        return [reason, ...remediesOf(missingAt(index)).map((remedy) => `${remedy} there`)].join('; ');
      },
      distance: () => 2,
      change: (index) => {
        const [remedy] = remedyOfAll(missingAt(index));
        if (remedy !== undefined) return `${remedy} on ${fleet.names[index]}`;
        return explain('change', index, `allow trait ${present(index)}`);
      },
      dropped: [...remedyOfAll(requiredTraits), 'drop the traits'].join(' there, or '),
    };
    return bound;
  },
};

/** What would give a host these traits, as far as that can be said in a few words. */
const remediesOf = (traits: readonly string[]): string[] =>
  [...new Set(traits.map(remedyOfTrait))].filter((remedy) => remedy !== null);

/** At most one text: of hosts that lack a trait which nothing brings, none would fit after it. */
function remedyOfAll(traits: readonly string[]): string[] {
  const isComplete = traits.length > 0 && traits.every((trait) => remedyOfTrait(trait) !== null);
  return isComplete ? [remediesOf(traits).join(' and ')] : [];
}
