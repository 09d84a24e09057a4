import type { OperationsQuery } from '../shapes.js';
import { type CallOptions, initOf, type Transport } from '../transport.js';
import { type WatchOptions, waitForOperation, watchOperation } from '../watch-operation.js';

export const operationCalls = (transport: Transport) => {
  const { api, bodyOf } = transport;
  const at = (operationId: string, options?: CallOptions) => ({
    params: { path: { operationId } },
    ...initOf(options),
  });
  return {
    list: (query: OperationsQuery = {}, options?: CallOptions) =>
      bodyOf(api.GET('/v1/operations', { params: { query }, ...initOf(options) }), options),
    get: (operationId: string, options?: CallOptions) =>
      bodyOf(api.GET('/v1/operations/{operationId}', at(operationId, options)), options),
    cancel: (operationId: string, options?: CallOptions) =>
      bodyOf(api.POST('/v1/operations/{operationId}/cancel', at(operationId, options)), options),
    resume: (operationId: string, options?: CallOptions) =>
      bodyOf(api.POST('/v1/operations/{operationId}/resume', at(operationId, options)), options),
    unwind: (operationId: string, options?: CallOptions) =>
      bodyOf(api.POST('/v1/operations/{operationId}/unwind', at(operationId, options)), options),
    watch: (operationId: string, options?: WatchOptions) => watchOperation(transport, operationId, options),
    wait: (operationId: string, options?: WatchOptions) => waitForOperation(transport, operationId, options),
  };
};
