import type { AcceptedOperation, CreateVolumeBody, VolumePlan, VolumesQuery } from '../shapes.js';
import { type CallOptions, initOf, type MutationOptions, type Transport } from '../transport.js';

/** What a request on volumes is answered with: its operation, or with `dryRun` what it would do. */
type Asked<Query> = Query extends { dryRun: 'plan' } ? VolumePlan : AcceptedOperation;
export interface VolumeQuery {
  readonly dryRun?: 'plan';
}

/** The answer's status says which of the two it is; so does the query, to the compiler. */
export const asked = async <Query extends VolumeQuery>(
  answer: Promise<AcceptedOperation | VolumePlan>,
): Promise<Asked<Query>> => (await answer) as Asked<Query>;

export const volumeCalls = ({ api, bodyOf }: Transport) => {
  const at = (volumeId: string, query: VolumeQuery) => ({ params: { path: { volumeId }, query } });
  return {
    list: (query: VolumesQuery = {}, options?: CallOptions) =>
      bodyOf(api.GET('/v1/volumes', { params: { query }, ...initOf(options) }), options),
    get: (volumeId: string, options?: CallOptions) =>
      bodyOf(api.GET('/v1/volumes/{volumeId}', { params: { path: { volumeId } }, ...initOf(options) }), options),
    create: <Query extends VolumeQuery>(body: CreateVolumeBody, query: Query, options?: MutationOptions) =>
      asked<Query>(bodyOf(api.POST('/v1/volumes', { params: { query }, body, ...initOf(options) }), options)),
    grow: <Query extends VolumeQuery>(volumeId: string, sizeBytes: number, query: Query, options?: MutationOptions) =>
      asked<Query>(
        bodyOf(
          api.PATCH('/v1/volumes/{volumeId}', { ...at(volumeId, query), body: { sizeBytes }, ...initOf(options) }),
          options,
        ),
      ),
    delete: <Query extends VolumeQuery>(volumeId: string, query: Query, options?: MutationOptions) =>
      asked<Query>(
        bodyOf(api.DELETE('/v1/volumes/{volumeId}', { ...at(volumeId, query), ...initOf(options) }), options),
      ),
    press: <Query extends VolumeQuery>(
      volumeId: string,
      verb: 'restore' | 'purge',
      query: Query,
      options?: MutationOptions,
    ) =>
      asked<Query>(
        bodyOf(api.POST(`/v1/volumes/{volumeId}/${verb}`, { ...at(volumeId, query), ...initOf(options) }), options),
      ),
    /** At once if the VM runs. */
    attach: (volumeId: string, vmId: string, options?: MutationOptions) =>
      bodyOf(
        api.POST('/v1/volumes/{volumeId}/attach', {
          params: { path: { volumeId } },
          body: { vmId },
          ...initOf(options),
        }),
        options,
      ) as Promise<AcceptedOperation>,
    detach: (volumeId: string, options?: MutationOptions) =>
      bodyOf(
        api.POST('/v1/volumes/{volumeId}/detach', { params: { path: { volumeId } }, ...initOf(options) }),
        options,
      ) as Promise<AcceptedOperation>,
  };
};
