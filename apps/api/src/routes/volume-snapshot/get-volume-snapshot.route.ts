import { getVolumeSnapshot } from '@kvorum/control-plane';
import { VolumeSnapshot, VolumeSnapshotId } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const getVolumeSnapshotRoute = defineRoute({
  method: 'GET',
  url: '/v1/volume-snapshots/:snapshotId',
  operationId: 'getVolumeSnapshot',
  tag: 'volumes',
  summary: 'Get a snapshot of a volume',
  description: 'Of which instant it is, and whether the guest had frozen its file systems.',
  role: 'viewer',
  params: z.object({ snapshotId: VolumeSnapshotId }),
  answer: { status: 200, description: 'As it is now', body: VolumeSnapshot },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => ({ body: await getVolumeSnapshot(cp, actor, params.snapshotId) }),
});
