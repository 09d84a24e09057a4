import type { Filter } from '../filter.js';
import { hasHost } from '../fleet/host-set.js';
import { LABEL } from '../fleet/labels.js';
import { onlyHosts } from './by-set.js';

const KINDS = [LABEL.accelerator('kvm'), LABEL.accelerator('tcg')];

/**
 * The host runs VMs the way the request wants. A host offers exactly one accelerator, or none: neither proven KVM nor
 * allowed emulation.
 */
export const accelerator: Filter = {
  name: 'accelerator',
  bind(request, fleet) {
    const wanted = request.accelerator;
    const any = fleet.labels.anyOf(KINDS);
    const hasNone = (index: number) => !hasHost(any, index);
    return {
      ...onlyHosts(wanted === null ? any : fleet.labels.of(LABEL.accelerator(wanted))),
      countedAs: () => (wanted === null ? 'without an accelerator' : `without ${wanted}`),
      reason: (index) =>
        hasNone(index) ? 'the host has neither proven kvm nor allowed emulation' : `the host does not offer ${wanted}`,
      distance: () => 1,
      change: (index) =>
        hasNone(index) ? `give ${fleet.names[index]} an accelerator` : `allow another accelerator than ${wanted}`,
      ...(wanted === null ? {} : { dropped: `allow another accelerator than ${wanted}` }),
    };
  },
};
