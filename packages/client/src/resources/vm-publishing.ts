import type { AcceptedOperation, PublishVmBody, VmPublishPlan } from '../shapes.js';
import { initOf, type MutationOptions, type Transport } from '../transport.js';

/** One route with two answers: the document cannot say which belongs to which query. */
export const vmPublishCalls = ({ api, bodyOf }: Pick<Transport, 'api' | 'bodyOf'>) => ({
  /** Makes an image of the root disk of a stopped VM; the answer names the image. */
  publish: (vmId: string, body: PublishVmBody, options?: MutationOptions) =>
    bodyOf(
      api.POST('/v1/vms/{vmId}/publish', { params: { path: { vmId } }, body, ...initOf(options) }),
      options,
    ) as Promise<AcceptedOperation>,
  /** What `publish` would do, and what to think of before; changes nothing. */
  planPublish: (vmId: string, body: PublishVmBody, options?: MutationOptions) =>
    bodyOf(
      api.POST('/v1/vms/{vmId}/publish', {
        params: { path: { vmId }, query: { dryRun: 'plan' } },
        body,
        ...initOf(options),
      }),
      options,
    ) as Promise<VmPublishPlan>,
});
