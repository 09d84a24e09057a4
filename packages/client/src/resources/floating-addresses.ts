import type {
  CreateFloatingAddressBody,
  CreateFloatingRangeBody,
  FloatingAddressesQuery,
  FloatingRangesQuery,
  UpdateFloatingAddressBody,
} from '../shapes.js';
import { type CallOptions, initOf, type MutationOptions, type Transport } from '../transport.js';

export const floatingAddressCalls = ({ api, bodyOf }: Transport) => {
  const at = (addressId: string) => ({ params: { path: { addressId } } });
  return {
    list: (query: FloatingAddressesQuery = {}, options?: CallOptions) =>
      bodyOf(api.GET('/v1/floating-addresses', { params: { query }, ...initOf(options) }), options),
    get: (addressId: string, options?: CallOptions) =>
      bodyOf(api.GET('/v1/floating-addresses/{addressId}', { ...at(addressId), ...initOf(options) }), options),
    create: (body: CreateFloatingAddressBody, options?: MutationOptions) =>
      bodyOf(api.POST('/v1/floating-addresses', { body, ...initOf(options) }), options),
    update: (addressId: string, body: UpdateFloatingAddressBody, options?: MutationOptions) =>
      bodyOf(api.PATCH('/v1/floating-addresses/{addressId}', { ...at(addressId), body, ...initOf(options) }), options),
    delete: async (addressId: string, options?: CallOptions): Promise<void> => {
      await bodyOf(api.DELETE('/v1/floating-addresses/{addressId}', { ...at(addressId), ...initOf(options) }), options);
    },
  };
};

export const floatingRangeCalls = ({ api, bodyOf }: Transport) => {
  const at = (rangeId: string) => ({ params: { path: { rangeId } } });
  return {
    list: (query: FloatingRangesQuery = {}, options?: CallOptions) =>
      bodyOf(api.GET('/v1/floating-ranges', { params: { query }, ...initOf(options) }), options),
    get: (rangeId: string, options?: CallOptions) =>
      bodyOf(api.GET('/v1/floating-ranges/{rangeId}', { ...at(rangeId), ...initOf(options) }), options),
    create: (body: CreateFloatingRangeBody, options?: MutationOptions) =>
      bodyOf(api.POST('/v1/floating-ranges', { body, ...initOf(options) }), options),
    delete: async (rangeId: string, options?: CallOptions): Promise<void> => {
      await bodyOf(api.DELETE('/v1/floating-ranges/{rangeId}', { ...at(rangeId), ...initOf(options) }), options);
    },
  };
};
