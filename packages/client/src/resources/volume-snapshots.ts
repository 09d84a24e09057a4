import type { CreateVolumeSnapshotsBody, VolumeSnapshotsQuery } from '../shapes.js';
import { type CallOptions, initOf, type MutationOptions, type Transport } from '../transport.js';
import { asked, type VolumeQuery } from './volumes.js';

export const volumeSnapshotCalls = ({ api, bodyOf }: Transport) => {
  const at = (snapshotId: string, query: VolumeQuery) => ({ params: { path: { snapshotId }, query } });
  return {
    list: (query: VolumeSnapshotsQuery = {}, options?: CallOptions) =>
      bodyOf(api.GET('/v1/volume-snapshots', { params: { query }, ...initOf(options) }), options),
    get: (snapshotId: string, options?: CallOptions) =>
      bodyOf(
        api.GET('/v1/volume-snapshots/{snapshotId}', { params: { path: { snapshotId } }, ...initOf(options) }),
        options,
      ),
    create: <Query extends VolumeQuery>(body: CreateVolumeSnapshotsBody, query: Query, options?: MutationOptions) =>
      asked<Query>(bodyOf(api.POST('/v1/volume-snapshots', { params: { query }, body, ...initOf(options) }), options)),
    delete: <Query extends VolumeQuery>(snapshotId: string, query: Query, options?: MutationOptions) =>
      asked<Query>(
        bodyOf(
          api.DELETE('/v1/volume-snapshots/{snapshotId}', { ...at(snapshotId, query), ...initOf(options) }),
          options,
        ),
      ),
    revert: <Query extends VolumeQuery>(snapshotId: string, query: Query, options?: MutationOptions) =>
      asked<Query>(
        bodyOf(
          api.POST('/v1/volume-snapshots/{snapshotId}/revert', { ...at(snapshotId, query), ...initOf(options) }),
          options,
        ),
      ),
  };
};
