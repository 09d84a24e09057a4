import type { CreateProjectBody, ProjectsQuery, QuotaBody } from '../shapes.js';
import { type CallOptions, initOf, type Transport } from '../transport.js';

export const projectCalls = ({ api, bodyOf }: Transport) => ({
  list: (query: ProjectsQuery = {}, options?: CallOptions) =>
    bodyOf(api.GET('/v1/projects', { params: { query }, ...initOf(options) }), options),
  get: (projectId: string, options?: CallOptions) =>
    bodyOf(api.GET('/v1/projects/{projectId}', { params: { path: { projectId } }, ...initOf(options) }), options),
  create: (body: CreateProjectBody, options?: CallOptions) =>
    bodyOf(api.POST('/v1/projects', { body, ...initOf(options) }), options),
  setQuota: (projectId: string, body: QuotaBody, options?: CallOptions) =>
    bodyOf(
      api.PATCH('/v1/projects/{projectId}/quota', { params: { path: { projectId } }, body, ...initOf(options) }),
      options,
    ),
});
