import type { Filter } from '../filter.js';
import { cell, STATE } from '../fleet.js';

/** A revoked host must be enrolled again, which is more than a word from an admin. */
const REVOKED_DISTANCE = 4;

/** Only hosts that an admin has left open for new VMs. */
export const hostState: Filter = {
  name: 'host-state',
  bind(_request, fleet) {
    const isRevoked = (index: number) => cell(fleet.states, index) === STATE.revoked;
    return {
      admits: (index) => cell(fleet.states, index) === STATE.active,
      countedAs: (index) => (isRevoked(index) ? 'revoked' : 'cordoned'),
      reason: (index) => (isRevoked(index) ? 'the host is revoked' : 'the host is cordoned'),
      distance: (index) => (isRevoked(index) ? REVOKED_DISTANCE : 1),
      change: (index) => `${isRevoked(index) ? 'enrol again' : 'uncordon'} ${fleet.names[index]}`,
    };
  },
};
