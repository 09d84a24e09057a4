import { DomainError, GIB, newId, type Project, type ProjectId, QUOTA_COUNT_MAX, TIB } from '@kvorum/schema';
import type { Actor } from '../control-plane.js';
import type { Database, Tx } from '../database/database.js';
import { notFound, requireProject } from '../token/project-scope.js';
import { findProject, findProjectByName, insertProject } from './project.store.js';

const DEFAULT_PROJECT_NAME = 'default';
/** So large that the hosts are the limit, and still one that an admin can see and lower. */
const DEFAULT_QUOTA = {
  vmCount: 10_000,
  vcpuCount: QUOTA_COUNT_MAX,
  memoryBytes: 1024 * 1024 * GIB,
  diskBytes: 1024 * TIB,
};

/** Makes the project `default` at the first start; several processes may do so at once. */
export async function ensureDefaultProject(database: Database, now: Date): Promise<void> {
  await insertProject(database, { id: newId<ProjectId>(), name: DEFAULT_PROJECT_NAME, quota: DEFAULT_QUOTA }, now);
}

/** The project a new object goes into: the one asked for, else the token's, else `default`. Throws not_found. */
export async function projectForNew(
  tx: Tx | Database,
  actor: Actor,
  asked: ProjectId | undefined,
  find = (id: string): Promise<Project | null> => findProject(tx, id),
): Promise<Project> {
  if (asked !== undefined) requireProject(actor, asked, 'the project', 'body.projectId');
  const id = asked ?? actor.projectId;
  const project = id === null ? await findProjectByName(tx, DEFAULT_PROJECT_NAME) : await find(id);
  if (project !== null) return project;
  if (id !== null) throw notFound('the project', 'body.projectId');
  throw new DomainError('invalid_request', 'there is no project called default; name one', {
    details: { fields: [{ field: 'body.projectId', message: 'is needed' }] },
  });
}
