import type {
  CapacityQuery,
  PlacementQueueQuery,
  PlacementsQuery,
  SimulateFailureBody,
  SimulatePlacementBody,
} from '../shapes.js';
import { type CallOptions, initOf, type Transport } from '../transport.js';

export const placementCalls = ({ api, bodyOf }: Transport) => {
  const at = (placementId: string, options?: CallOptions) => ({
    params: { path: { placementId } },
    ...initOf(options),
  });
  return {
    list: (query: PlacementsQuery = {}, options?: CallOptions) =>
      bodyOf(api.GET('/v1/placements', { params: { query }, ...initOf(options) }), options),
    get: (placementId: string, options?: CallOptions) =>
      bodyOf(api.GET('/v1/placements/{placementId}', at(placementId, options)), options),
    /** VMs that wait for room, in the order in which they are tried. */
    queue: (query: PlacementQueueQuery = {}, options?: CallOptions) =>
      bodyOf(api.GET('/v1/placement-queue', { params: { query }, ...initOf(options) }), options),
    replay: (placementId: string, options?: CallOptions) =>
      bodyOf(api.POST('/v1/placements/{placementId}/replay', at(placementId, options)), options),
    /** Where VMs would go now; nothing is reserved. */
    simulate: (body: SimulatePlacementBody, options?: CallOptions) =>
      bodyOf(api.POST('/v1/placements/simulate', { body, ...initOf(options) }), options),
    simulateFailure: (body: SimulateFailureBody, options?: CallOptions) =>
      bodyOf(api.POST('/v1/placements/simulate-failure', { body, ...initOf(options) }), options),
    capacity: (query: CapacityQuery, options?: CallOptions) =>
      bodyOf(api.GET('/v1/capacity', { params: { query }, ...initOf(options) }), options),
  };
};
