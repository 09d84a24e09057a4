import { deleteVolumeSnapshot, planVolumeSnapshotDeletion } from '@kvorum/control-plane';
import { AcceptedOperation, DryRunQuery, VolumePlan, VolumeSnapshotId } from '@kvorum/schema';
import { z } from 'zod';
import { accepted, planned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const deleteVolumeSnapshotRoute = defineRoute({
  method: 'DELETE',
  url: '/v1/volume-snapshots/:snapshotId',
  operationId: 'deleteVolumeSnapshot',
  tag: 'volumes',
  summary: 'Delete a snapshot of a volume',
  description: 'Clones of it live on.',
  role: 'operator',
  params: z.object({ snapshotId: VolumeSnapshotId }),
  query: DryRunQuery,
  honours: ['idempotency-key'],
  answer: { status: 202, description: 'The operation that does it', body: AcceptedOperation, headers: ['location'] },
  plan: { description: 'With `dryRun=plan`: what would be done', body: VolumePlan },
  errors: ['not_found', 'conflict_state'],
  handler: async ({ cp, actor, params, query, options }) =>
    query.dryRun === 'plan'
      ? planned(await planVolumeSnapshotDeletion(cp, actor, params.snapshotId))
      : accepted(await deleteVolumeSnapshot(cp, actor, params.snapshotId, options)),
});
