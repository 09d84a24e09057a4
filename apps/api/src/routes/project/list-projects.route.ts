import { listProjects } from '@kvorum/control-plane';
import { ListProjectsQuery, Project, pageOf } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const listProjectsRoute = defineRoute({
  method: 'GET',
  url: '/v1/projects',
  operationId: 'listProjects',
  tag: 'projects',
  summary: 'List projects',
  description: 'With their quotas and what they use. A token of a project sees that one.',
  role: 'viewer',
  query: ListProjectsQuery,
  answer: { status: 200, description: 'A page of projects', body: pageOf(Project, 'Project') },
  errors: [],
  handler: async ({ cp, actor, query }) => ({ body: await listProjects(cp, actor, query) }),
});
