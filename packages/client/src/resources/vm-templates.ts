import type { AcceptedOperation, FreezeTemplateBody, VmTemplatePlan, VmTemplatesQuery } from '../shapes.js';
import { type CallOptions, initOf, type MutationOptions, type Transport } from '../transport.js';
import type { VolumeQuery } from './volumes.js';

type Asked<Query> = Query extends { dryRun: 'plan' } ? VmTemplatePlan : AcceptedOperation;

/** The answer's status says which of the two it is; so does the query, to the compiler. */
const asked = async <Query extends VolumeQuery>(
  answer: Promise<AcceptedOperation | VmTemplatePlan>,
): Promise<Asked<Query>> => (await answer) as Asked<Query>;

export const vmTemplateCalls = ({ api, bodyOf }: Transport) => ({
  list: (query: VmTemplatesQuery = {}, options?: CallOptions) =>
    bodyOf(api.GET('/v1/vm-templates', { params: { query }, ...initOf(options) }), options),
  get: (templateId: string, options?: CallOptions) =>
    bodyOf(api.GET('/v1/vm-templates/{templateId}', { params: { path: { templateId } }, ...initOf(options) }), options),
  freeze: <Query extends VolumeQuery>(
    vmId: string,
    body: FreezeTemplateBody,
    query: Query,
    options?: MutationOptions,
  ) =>
    asked<Query>(
      bodyOf(
        api.POST('/v1/vms/{vmId}/freeze-template', { params: { path: { vmId }, query }, body, ...initOf(options) }),
        options,
      ),
    ),
  delete: <Query extends VolumeQuery>(templateId: string, query: Query, options?: MutationOptions) =>
    asked<Query>(
      bodyOf(
        api.DELETE('/v1/vm-templates/{templateId}', { params: { path: { templateId }, query }, ...initOf(options) }),
        options,
      ),
    ),
});
