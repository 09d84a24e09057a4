import type { CreateFlavorBody, FlavorsQuery } from '../shapes.js';
import { type CallOptions, initOf, type Transport } from '../transport.js';

export const flavorCalls = ({ api, bodyOf }: Transport) => ({
  list: (query: FlavorsQuery = {}, options?: CallOptions) =>
    bodyOf(api.GET('/v1/flavors', { params: { query }, ...initOf(options) }), options),
  get: (flavorId: string, options?: CallOptions) =>
    bodyOf(api.GET('/v1/flavors/{flavorId}', { params: { path: { flavorId } }, ...initOf(options) }), options),
  create: (body: CreateFlavorBody, options?: CallOptions) =>
    bodyOf(api.POST('/v1/flavors', { body, ...initOf(options) }), options),
  delete: async (flavorId: string, options?: CallOptions): Promise<void> => {
    await bodyOf(api.DELETE('/v1/flavors/{flavorId}', { params: { path: { flavorId } }, ...initOf(options) }), options);
  },
});
