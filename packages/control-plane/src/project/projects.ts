import {
  type CreateProjectRequest,
  DomainError,
  type ListProjectsQuery,
  newId,
  type Page,
  type Project,
  type ProjectId,
  type Quota,
} from '@kvorum/schema';
import type { z } from 'zod';
import type { Actor, ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { pageBounds, pageOfRows } from '../page-cursor.js';
import { notFound, requireProject, requireWholeSite } from '../token/project-scope.js';
import { findProject, findProjects, insertProject, setQuota } from './project.store.js';

/** Throws already_exists. */
export async function createProject(cp: ControlPlane, actor: Actor, request: CreateProjectRequest): Promise<Project> {
  requireWholeSite(actor);
  const id = newId<ProjectId>();
  return withTransaction(cp.database, async (tx) => {
    if (!(await insertProject(tx, { id, ...request }, cp.clock()))) {
      throw new DomainError('already_exists', `a project called ${request.name} is there already`);
    }
    await recordEvent(tx, {
      type: 'project.created',
      projectId: id,
      resourceKind: 'project',
      resourceId: id,
      data: { name: request.name, quota: request.quota },
    });
    return present(await findProject(tx, id));
  });
}

export async function listProjects(
  cp: ControlPlane,
  actor: Actor,
  query: z.infer<typeof ListProjectsQuery>,
): Promise<Page<Project>> {
  const filter = { name: query.name, id: actor.projectId };
  return pageOfRows(await findProjects(cp.database, filter, pageBounds(query)), query);
}

export async function getProject(cp: ControlPlane, actor: Actor, projectId: ProjectId): Promise<Project> {
  requireProject(actor, projectId, 'the project');
  return present(await findProject(cp.database, projectId));
}

/** A quota below what is used stops growth and takes nothing away. */
export async function updateProjectQuota(
  cp: ControlPlane,
  actor: Actor,
  projectId: ProjectId,
  quota: Quota,
): Promise<Project> {
  requireWholeSite(actor);
  return withTransaction(cp.database, async (tx) => {
    const project = present(await setQuota(tx, projectId, quota));
    await recordEvent(tx, {
      type: 'project.quota',
      projectId,
      resourceKind: 'project',
      resourceId: projectId,
      data: { quota },
    });
    return project;
  });
}

function present(project: Project | null): Project {
  if (project === null) throw notFound('the project');
  return project;
}
