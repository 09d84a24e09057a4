import type { BoundFilter } from '../filter.js';
import { dropHosts, type HostSet, hasHost, keepHosts } from '../fleet/host-set.js';

/** A rule that admits exactly the hosts of a set. */
export const onlyHosts = (admitted: HostSet): Pick<BoundFilter, 'restrict' | 'admits'> => ({
  restrict: (hosts) => keepHosts(hosts, admitted),
  admits: (index) => hasHost(admitted, index),
});

/** A rule that admits all hosts but those of a set. */
export const allHostsBut = (rejected: HostSet): Pick<BoundFilter, 'restrict' | 'admits'> => ({
  restrict: (hosts) => dropHosts(hosts, rejected),
  admits: (index) => !hasHost(rejected, index),
});
