import type { CreateHostGroupBody, HostGroupsQuery, PreviewBaselineBody, UpdateHostGroupBody } from '../shapes.js';
import { type CallOptions, initOf, type Transport } from '../transport.js';

export const hostGroupCalls = ({ api, bodyOf }: Transport) => {
  const at = (hostGroupId: string) => ({ params: { path: { hostGroupId } } });
  return {
    list: (query: HostGroupsQuery = {}, options?: CallOptions) =>
      bodyOf(api.GET('/v1/host-groups', { params: { query }, ...initOf(options) }), options),
    get: (hostGroupId: string, options?: CallOptions) =>
      bodyOf(api.GET('/v1/host-groups/{hostGroupId}', { ...at(hostGroupId), ...initOf(options) }), options),
    create: (body: CreateHostGroupBody, options?: CallOptions) =>
      bodyOf(api.POST('/v1/host-groups', { body, ...initOf(options) }), options),
    update: (hostGroupId: string, body: UpdateHostGroupBody, options?: CallOptions) =>
      bodyOf(api.PATCH('/v1/host-groups/{hostGroupId}', { ...at(hostGroupId), body, ...initOf(options) }), options),
    delete: async (hostGroupId: string, options?: CallOptions): Promise<void> => {
      await bodyOf(api.DELETE('/v1/host-groups/{hostGroupId}', { ...at(hostGroupId), ...initOf(options) }), options);
    },
    cpuBaseline: (hostGroupId: string, options?: CallOptions) =>
      bodyOf(
        api.GET('/v1/host-groups/{hostGroupId}/cpu-baseline', { ...at(hostGroupId), ...initOf(options) }),
        options,
      ),
    previewCpuBaseline: (hostGroupId: string, body: PreviewBaselineBody, options?: CallOptions) =>
      bodyOf(
        api.POST('/v1/host-groups/{hostGroupId}/cpu-baseline/preview', {
          ...at(hostGroupId),
          body,
          ...initOf(options),
        }),
        options,
      ),
  };
};
