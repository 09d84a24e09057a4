import type {
  CreateNetworkBody,
  CreatePortBody,
  NetworksQuery,
  PortsQuery,
  UpdateNetworkBody,
  UpdatePortBody,
} from '../shapes.js';
import { type CallOptions, initOf, type MutationOptions, type Transport } from '../transport.js';

export const networkCalls = ({ api, bodyOf }: Transport) => {
  const at = (networkId: string) => ({ params: { path: { networkId } } });
  return {
    list: (query: NetworksQuery = {}, options?: CallOptions) =>
      bodyOf(api.GET('/v1/networks', { params: { query }, ...initOf(options) }), options),
    get: (networkId: string, options?: CallOptions) =>
      bodyOf(api.GET('/v1/networks/{networkId}', { ...at(networkId), ...initOf(options) }), options),
    create: (body: CreateNetworkBody, options?: MutationOptions) =>
      bodyOf(api.POST('/v1/networks', { body, ...initOf(options) }), options),
    update: (networkId: string, body: UpdateNetworkBody, options?: MutationOptions) =>
      bodyOf(api.PATCH('/v1/networks/{networkId}', { ...at(networkId), body, ...initOf(options) }), options),
    delete: async (networkId: string, options?: CallOptions): Promise<void> => {
      await bodyOf(api.DELETE('/v1/networks/{networkId}', { ...at(networkId), ...initOf(options) }), options);
    },
  };
};

export const portCalls = ({ api, bodyOf }: Transport) => {
  const at = (portId: string) => ({ params: { path: { portId } } });
  return {
    list: (networkId: string, query: PortsQuery = {}, options?: CallOptions) =>
      bodyOf(
        api.GET('/v1/networks/{networkId}/ports', { params: { path: { networkId }, query }, ...initOf(options) }),
        options,
      ),
    get: (portId: string, options?: CallOptions) =>
      bodyOf(api.GET('/v1/ports/{portId}', { ...at(portId), ...initOf(options) }), options),
    create: (networkId: string, body: CreatePortBody, options?: MutationOptions) =>
      bodyOf(
        api.POST('/v1/networks/{networkId}/ports', { params: { path: { networkId } }, body, ...initOf(options) }),
        options,
      ),
    update: (portId: string, body: UpdatePortBody, options?: MutationOptions) =>
      bodyOf(api.PATCH('/v1/ports/{portId}', { ...at(portId), body, ...initOf(options) }), options),
    delete: async (portId: string, options?: CallOptions): Promise<void> => {
      await bodyOf(api.DELETE('/v1/ports/{portId}', { ...at(portId), ...initOf(options) }), options);
    },
  };
};
