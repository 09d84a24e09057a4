import type { CreateSecurityGroupBody, SecurityGroupsQuery, UpdateSecurityGroupBody } from '../shapes.js';
import { type CallOptions, initOf, type MutationOptions, type Transport } from '../transport.js';

export const securityGroupCalls = ({ api, bodyOf }: Transport) => {
  const at = (securityGroupId: string) => ({ params: { path: { securityGroupId } } });
  return {
    list: (query: SecurityGroupsQuery = {}, options?: CallOptions) =>
      bodyOf(api.GET('/v1/security-groups', { params: { query }, ...initOf(options) }), options),
    get: (groupId: string, options?: CallOptions) =>
      bodyOf(api.GET('/v1/security-groups/{securityGroupId}', { ...at(groupId), ...initOf(options) }), options),
    create: (body: CreateSecurityGroupBody, options?: MutationOptions) =>
      bodyOf(api.POST('/v1/security-groups', { body, ...initOf(options) }), options),
    update: (groupId: string, body: UpdateSecurityGroupBody, options?: MutationOptions) =>
      bodyOf(api.PATCH('/v1/security-groups/{securityGroupId}', { ...at(groupId), body, ...initOf(options) }), options),
    delete: async (groupId: string, options?: CallOptions): Promise<void> => {
      await bodyOf(
        api.DELETE('/v1/security-groups/{securityGroupId}', { ...at(groupId), ...initOf(options) }),
        options,
      );
    },
  };
};
