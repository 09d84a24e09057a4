import type { AcceptedOperation, MoveVmBody, VmMovePlan } from '../shapes.js';
import { initOf, type MutationOptions, type Transport } from '../transport.js';

/** One route with two answers: the document cannot say which belongs to which query. */
export const vmMoveCalls = ({ api, bodyOf }: Pick<Transport, 'api' | 'bodyOf'>) => ({
  /** Takes a stopped VM to another host; without one named, placement chooses. */
  move: (vmId: string, body: MoveVmBody = {}, options?: MutationOptions) =>
    bodyOf(
      api.POST('/v1/vms/{vmId}/move', { params: { path: { vmId } }, body, ...initOf(options) }),
      options,
    ) as Promise<AcceptedOperation>,
  /** Where `move` would take it; changes nothing. */
  planMove: (vmId: string, body: MoveVmBody = {}, options?: MutationOptions) =>
    bodyOf(
      api.POST('/v1/vms/{vmId}/move', {
        params: { path: { vmId }, query: { dryRun: 'plan' } },
        body,
        ...initOf(options),
      }),
      options,
    ) as Promise<VmMovePlan>,
});
