import type { Filter } from '../filter.js';
import { hasHost } from '../fleet/host-set.js';
import { LABEL } from '../fleet/labels.js';
import { onlyHosts } from './by-set.js';

/** A revoked host must be enrolled again, which is more than a word from an admin. */
const REVOKED_DISTANCE = 4;

/** Only hosts that an admin has left open for new VMs. */
export const hostState: Filter = {
  name: 'host-state',
  bind(_request, fleet) {
    const revoked = fleet.labels.of(LABEL.state('revoked'));
    const isRevoked = (index: number) => hasHost(revoked, index);
    return {
      ...onlyHosts(fleet.labels.of(LABEL.state('active'))),
      countedAs: (index) => (isRevoked(index) ? 'revoked' : 'cordoned'),
      reason: (index) => (isRevoked(index) ? 'the host is revoked' : 'the host is cordoned'),
      distance: (index) => (isRevoked(index) ? REVOKED_DISTANCE : 1),
      change: (index) => `${isRevoked(index) ? 'enrol again' : 'uncordon'} ${fleet.names[index]}`,
    };
  },
};
