import { amountsOf } from '../fleet/amounts.js';
import type { PlacementRequest } from './placement-request.js';

const OPTIONAL = [
  'vmId',
  'requiredTraits',
  'forbiddenTraits',
  'cpuBaseline',
  'needsNestedVirtualisation',
  'storagePoolIds',
  'networkIds',
  'domains',
  'hostGroupId',
  'groupIds',
  'numaNodeCount',
  'guestNodes',
  'smt',
  'isHighlyAvailable',
] as const satisfies readonly (keyof PlacementRequest)[];

/** The request and nothing else: callers may hand over objects that carry more, which must not get into records. */
export const plainRequest = (request: PlacementRequest): PlacementRequest => ({
  ...amountsOf(request),
  accelerator: request.accelerator,
  hostId: request.hostId,
  excludedHostIds: [...request.excludedHostIds],
  ...Object.fromEntries(OPTIONAL.flatMap((name) => (request[name] === undefined ? [] : [[name, request[name]]]))),
});
