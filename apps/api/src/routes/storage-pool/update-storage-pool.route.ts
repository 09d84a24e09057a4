import { updateStoragePool } from '@kvorum/control-plane';
import { StoragePool, StoragePoolId, UpdateStoragePoolRequest } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const updateStoragePoolRoute = defineRoute({
  method: 'PATCH',
  url: '/v1/storage-pools/:poolId',
  operationId: 'updateStoragePool',
  tag: 'storage-pools',
  summary: 'Change a storage pool',
  description:
    'How much it may promise, and how long it keeps its trash. A lower overcommitRatio takes nothing away; it stops what is new.',
  role: 'admin',
  params: z.object({ poolId: StoragePoolId }),
  body: UpdateStoragePoolRequest,
  example: { overcommitRatio: 1.5, trashKeepDays: 14 },
  honours: ['if-match'],
  answer: { status: 200, description: 'As it is now', body: StoragePool, headers: ['etag'] },
  errors: ['not_found', 'forbidden'],
  handler: async ({ cp, actor, params, body, options }) =>
    versioned(await updateStoragePool(cp, actor, params.poolId, body, options)),
});
