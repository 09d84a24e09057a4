import type { CreateVmGroupBody, UpdateVmGroupBody, VmGroupsQuery } from '../shapes.js';
import { type CallOptions, initOf, type MutationOptions, type Transport } from '../transport.js';

export const vmGroupCalls = ({ api, bodyOf }: Transport) => {
  const at = (vmGroupId: string) => ({ params: { path: { vmGroupId } } });
  return {
    list: (query: VmGroupsQuery = {}, options?: CallOptions) =>
      bodyOf(api.GET('/v1/vm-groups', { params: { query }, ...initOf(options) }), options),
    get: (groupId: string, options?: CallOptions) =>
      bodyOf(api.GET('/v1/vm-groups/{vmGroupId}', { ...at(groupId), ...initOf(options) }), options),
    create: (body: CreateVmGroupBody, options?: MutationOptions) =>
      bodyOf(api.POST('/v1/vm-groups', { body, ...initOf(options) }), options),
    update: (groupId: string, body: UpdateVmGroupBody, options?: MutationOptions) =>
      bodyOf(api.PATCH('/v1/vm-groups/{vmGroupId}', { ...at(groupId), body, ...initOf(options) }), options),
    delete: async (groupId: string, options?: CallOptions): Promise<void> => {
      await bodyOf(api.DELETE('/v1/vm-groups/{vmGroupId}', { ...at(groupId), ...initOf(options) }), options);
    },
  };
};
