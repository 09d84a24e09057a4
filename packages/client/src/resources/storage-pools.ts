import type { StoragePoolsQuery, UpdateStoragePoolBody } from '../shapes.js';
import { type CallOptions, initOf, type MutationOptions, type Transport } from '../transport.js';

export const storagePoolCalls = ({ api, bodyOf }: Transport) => {
  const at = (poolId: string) => ({ params: { path: { poolId } } });
  return {
    list: (query: StoragePoolsQuery = {}, options?: CallOptions) =>
      bodyOf(api.GET('/v1/storage-pools', { params: { query }, ...initOf(options) }), options),
    get: (poolId: string, options?: CallOptions) =>
      bodyOf(api.GET('/v1/storage-pools/{poolId}', { ...at(poolId), ...initOf(options) }), options),
    update: (poolId: string, body: UpdateStoragePoolBody, options?: MutationOptions) =>
      bodyOf(api.PATCH('/v1/storage-pools/{poolId}', { ...at(poolId), body, ...initOf(options) }), options),
  };
};
