import { getProject } from '@kvorum/control-plane';
import { Project, ProjectId } from '@kvorum/schema';
import { z } from 'zod';
import { defineRoute } from '../../define-route.js';

export const getProjectRoute = defineRoute({
  method: 'GET',
  url: '/v1/projects/:projectId',
  operationId: 'getProject',
  tag: 'projects',
  summary: 'Get a project',
  description: 'With its quota and what it uses.',
  role: 'viewer',
  params: z.object({ projectId: ProjectId }),
  answer: { status: 200, description: 'The project', body: Project },
  errors: ['not_found'],
  handler: async ({ cp, actor, params }) => ({ body: await getProject(cp, actor, params.projectId) }),
});
