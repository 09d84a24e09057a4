import type { PlacementsQuery } from '../shapes.js';
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
    replay: (placementId: string, options?: CallOptions) =>
      bodyOf(api.POST('/v1/placements/{placementId}/replay', at(placementId, options)), options),
  };
};
