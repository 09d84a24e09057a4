import type { BoundFilter } from '../filter.js';
import { type HostSet, hasHost, keepHosts } from '../fleet/host-set.js';

/** A rule that admits exactly the hosts of a set. */
export const onlyHosts = (admitted: HostSet): Pick<BoundFilter, 'restrict' | 'admits'> => ({
  restrict: (hosts) => keepHosts(hosts, admitted),
  admits: (index) => hasHost(admitted, index),
});
