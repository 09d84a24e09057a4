import type { CreateEnrolmentBody, DrainPlanBody, HostsQuery, RebalancePlanBody } from '../shapes.js';
import { type CallOptions, initOf, type MutationOptions, type Transport } from '../transport.js';

export const hostCalls = ({ api, bodyOf }: Transport) => ({
  list: (query: HostsQuery = {}, options?: CallOptions) =>
    bodyOf(api.GET('/v1/hosts', { params: { query }, ...initOf(options) }), options),
  get: (hostId: string, options?: CallOptions) =>
    bodyOf(api.GET('/v1/hosts/{hostId}', { params: { path: { hostId } }, ...initOf(options) }), options),
  /** A join token for one host; the answer is the only place where it is shown. */
  enrol: (body: CreateEnrolmentBody, options?: CallOptions) =>
    bodyOf(api.POST('/v1/host-enrolments', { body, ...initOf(options) }), options),
  cordon: (hostId: string, reason: string | null, options?: MutationOptions) =>
    bodyOf(
      api.POST('/v1/hosts/{hostId}/cordon', {
        params: { path: { hostId } },
        body: reason === null ? {} : { reason },
        ...initOf(options),
      }),
      options,
    ),
  uncordon: (hostId: string, options?: MutationOptions) =>
    bodyOf(api.POST('/v1/hosts/{hostId}/uncordon', { params: { path: { hostId } }, ...initOf(options) }), options),
  /** A dry run: the moves that would empty the host, or what keeps it from being emptied. */
  planDrain: (hostId: string, body: DrainPlanBody = {}, options?: CallOptions) =>
    bodyOf(
      api.POST('/v1/hosts/{hostId}/drain/plan', { params: { path: { hostId } }, body, ...initOf(options) }),
      options,
    ),
  planRebalance: (body: RebalancePlanBody = {}, options?: CallOptions) =>
    bodyOf(api.POST('/v1/rebalance/plan', { body, ...initOf(options) }), options),
  /** Carries out what `planDrain` would say. */
  drain: (hostId: string, body: DrainPlanBody = {}, options?: MutationOptions) =>
    bodyOf(api.POST('/v1/hosts/{hostId}/drain', { params: { path: { hostId } }, body, ...initOf(options) }), options),
  /** Carries out what `planRebalance` would say. */
  rebalance: (body: RebalancePlanBody = {}, options?: MutationOptions) =>
    bodyOf(api.POST('/v1/rebalance', { body, ...initOf(options) }), options),
  /** Looks at it for what belongs to nobody. */
  sweep: (hostId: string, options?: CallOptions) =>
    bodyOf(api.POST('/v1/hosts/{hostId}/sweep', { params: { path: { hostId } }, ...initOf(options) }), options),
  revoke: (hostId: string, options?: CallOptions) =>
    bodyOf(api.POST('/v1/hosts/{hostId}/revoke', { params: { path: { hostId } }, ...initOf(options) }), options),
});
