import type { CreateTokenBody, TokensQuery } from '../shapes.js';
import { type CallOptions, initOf, type Transport } from '../transport.js';

export const tokenCalls = ({ api, bodyOf }: Transport) => ({
  list: (query: TokensQuery = {}, options?: CallOptions) =>
    bodyOf(api.GET('/v1/tokens', { params: { query }, ...initOf(options) }), options),
  /** The token this client was made with. */
  self: (options?: CallOptions) => bodyOf(api.GET('/v1/tokens/self', initOf(options)), options),
  /** The answer is the only place where the new token's secret is shown. */
  create: (body: CreateTokenBody, options?: CallOptions) =>
    bodyOf(api.POST('/v1/tokens', { body, ...initOf(options) }), options),
  revoke: (tokenId: string, options?: CallOptions) =>
    bodyOf(api.DELETE('/v1/tokens/{tokenId}', { params: { path: { tokenId } }, ...initOf(options) }), options),
});
