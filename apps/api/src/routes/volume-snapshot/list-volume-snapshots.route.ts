import { listVolumeSnapshots } from '@kvorum/control-plane';
import { ListVolumeSnapshotsQuery, pageOf, VolumeSnapshot } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const listVolumeSnapshotsRoute = defineRoute({
  method: 'GET',
  url: '/v1/volume-snapshots',
  operationId: 'listVolumeSnapshots',
  tag: 'volumes',
  summary: 'List snapshots of volumes',
  description: 'Those of the projects the token sees. Snapshots of one instant share their `setId`.',
  role: 'viewer',
  query: ListVolumeSnapshotsQuery,
  answer: { status: 200, description: 'A page of them', body: pageOf(VolumeSnapshot, 'VolumeSnapshot') },
  errors: [],
  handler: async ({ cp, actor, query }) => ({ body: await listVolumeSnapshots(cp, actor, query) }),
});
