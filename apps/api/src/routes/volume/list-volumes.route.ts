import { listVolumes } from '@kvorum/control-plane';
import { ListVolumesQuery, pageOf, Volume } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const listVolumesRoute = defineRoute({
  method: 'GET',
  url: '/v1/volumes',
  operationId: 'listVolumes',
  tag: 'volumes',
  summary: 'List volumes',
  description:
    'Those on storage pools, of the projects the token sees, also in the trash. Disks in the folders of hosts are with their VMs.',
  role: 'viewer',
  query: ListVolumesQuery,
  answer: { status: 200, description: 'A page of them', body: pageOf(Volume, 'Volume') },
  errors: [],
  handler: async ({ cp, actor, query }) => ({ body: await listVolumes(cp, actor, query) }),
});
