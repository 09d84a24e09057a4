import { createProject } from '@kvorum/control-plane';
import { CreateProjectRequest, Project } from '@kvorum/schema';
import { defineRoute } from '../../define-route.js';

export const createProjectRoute = defineRoute({
  method: 'POST',
  url: '/v1/projects',
  operationId: 'createProject',
  tag: 'projects',
  summary: 'Create a project',
  description: 'Those who share VMs, images and a quota.',
  role: 'admin',
  body: CreateProjectRequest,
  example: {
    name: 'shop',
    quota: { vmCount: 50, vcpuCount: 200, memoryBytes: 549_755_813_888, diskBytes: 10_995_116_277_760 },
  },
  answer: { status: 201, description: 'The new project', body: Project, headers: ['location'] },
  errors: ['already_exists'],
  handler: async ({ cp, actor, body }) => {
    const project = await createProject(cp, actor, body);
    return { body: project, location: `/v1/projects/${project.id}` };
  },
});
