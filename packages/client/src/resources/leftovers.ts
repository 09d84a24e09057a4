import type { LeftoversQuery } from '../shapes.js';
import { type CallOptions, initOf, type Transport } from '../transport.js';

export const leftoverCalls = ({ api, bodyOf }: Transport) => ({
  list: (query: LeftoversQuery = {}, options?: CallOptions) =>
    bodyOf(api.GET('/v1/leftovers', { params: { query }, ...initOf(options) }), options),
  /** Removes it from its host for good. */
  delete: (leftoverId: string, options?: CallOptions) =>
    bodyOf(api.DELETE('/v1/leftovers/{leftoverId}', { params: { path: { leftoverId } }, ...initOf(options) }), options),
});
