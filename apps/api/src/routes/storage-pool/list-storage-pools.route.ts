import { listStoragePools } from '@kvorum/control-plane';
import { ListStoragePoolsQuery, pageOf, StoragePool } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const listStoragePoolsRoute = defineRoute({
  method: 'GET',
  url: '/v1/storage-pools',
  operationId: 'listStoragePools',
  tag: 'storage-pools',
  summary: 'List storage pools',
  description: 'What each can do, and its room. Tokens of one project are not told of hosts.',
  role: 'viewer',
  query: ListStoragePoolsQuery,
  answer: { status: 200, description: 'A page of them', body: pageOf(StoragePool, 'StoragePool') },
  errors: [],
  handler: async ({ cp, actor, query }) => ({ body: await listStoragePools(cp, actor, query) }),
});
