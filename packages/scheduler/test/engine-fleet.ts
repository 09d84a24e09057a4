import { Fleet } from '../src/index.js';
import type { PlainFleet } from './plain-rules.js';

/** The same fleet for the engine: VMs take what they need from their hosts. */
export function engineFleet({ rows, groups, vms }: PlainFleet): Fleet {
  const fleet = new Fleet(rows, { placementGroups: groups });
  for (const vm of vms) fleet.occupy(vm);
  return fleet;
}
