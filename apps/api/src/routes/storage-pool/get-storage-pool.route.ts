import { getStoragePool } from '@kvorum/control-plane';
import { StoragePool, StoragePoolId } from '@kvorum/schema';
import { z } from 'zod';
import { versioned } from '../../answer.js';
import { defineRoute } from '../../define-route.js';

export const getStoragePoolRoute = defineRoute({
  method: 'GET',
  url: '/v1/storage-pools/:poolId',
  operationId: 'getStoragePool',
  tag: 'storage-pools',
  summary: 'Get a storage pool',
  description: 'What it can do, its room, and which hosts reach it.',
  role: 'viewer',
  params: z.object({ poolId: StoragePoolId }),
  answer: { status: 200, description: 'As it is now', body: StoragePool, headers: ['etag'] },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => versioned(await getStoragePool(cp, actor, params.poolId)),
});
