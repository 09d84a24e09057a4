import type { AcceptedOperation, UpdateVmBody, VmUpdatePlan } from '../shapes.js';
import { initOf, type MutationOptions, type Transport } from '../transport.js';

/** One route with two answers: the document cannot say which belongs to which query. */
export const vmUpdateCalls = ({ api, bodyOf }: Pick<Transport, 'api' | 'bodyOf'>) => ({
  /** Makes the VM what `body` says, now or at its next start. */
  update: (vmId: string, body: UpdateVmBody, options?: MutationOptions) =>
    bodyOf(
      api.PATCH('/v1/vms/{vmId}', { params: { path: { vmId } }, body, ...initOf(options) }),
      options,
    ) as Promise<AcceptedOperation>,
  /** What `update` would do, field by field; changes nothing. */
  planUpdate: (vmId: string, body: UpdateVmBody, options?: MutationOptions) =>
    bodyOf(
      api.PATCH('/v1/vms/{vmId}', {
        params: { path: { vmId }, query: { dryRun: 'plan' } },
        body,
        ...initOf(options),
      }),
      options,
    ) as Promise<VmUpdatePlan>,
});
