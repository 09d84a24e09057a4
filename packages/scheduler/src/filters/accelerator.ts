import type { Filter } from '../filter.js';
import { ACCELERATOR, cell } from '../fleet.js';

/**
 * The host runs VMs the way the request wants. A host offers exactly one accelerator, or none: neither proven KVM nor
 * allowed emulation.
 */
export const accelerator: Filter = {
  name: 'accelerator',
  bind(request, fleet) {
    const wanted = request.accelerator;
    const hasNone = (index: number) => cell(fleet.accelerators, index) === ACCELERATOR.none;
    return {
      admits: (index) => (wanted === null ? !hasNone(index) : cell(fleet.accelerators, index) === ACCELERATOR[wanted]),
      countedAs: () => (wanted === null ? 'without an accelerator' : `without ${wanted}`),
      reason: (index) =>
        hasNone(index) ? 'the host has neither proven kvm nor allowed emulation' : `the host does not offer ${wanted}`,
      distance: () => 1,
      change: (index) =>
        hasNone(index) ? `give ${fleet.names[index]} an accelerator` : `allow another accelerator than ${wanted}`,
    };
  },
};
