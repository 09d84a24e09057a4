import { z } from 'zod';
import { ProjectId } from '../ids.js';
import { QUOTA_BYTES_MAX, QUOTA_COUNT_MAX } from '../limits.js';
import { ResourceName } from '../names.js';
import { PageQuery } from '../page.schema.js';

export const Quota = z
  .strictObject({
    vmCount: z.int().min(0).max(QUOTA_COUNT_MAX),
    vcpuCount: z.int().min(0).max(QUOTA_COUNT_MAX),
    memoryBytes: z.int().min(0).max(QUOTA_BYTES_MAX),
    diskBytes: z.int().min(0).max(QUOTA_BYTES_MAX),
  })
  .meta({ id: 'Quota' });
export type Quota = z.infer<typeof Quota>;

export const CreateProjectRequest = z
  .strictObject({ name: ResourceName, quota: Quota })
  .meta({ id: 'CreateProjectRequest' });
export type CreateProjectRequest = z.infer<typeof CreateProjectRequest>;

export const Project = z
  .object({
    id: ProjectId,
    name: ResourceName,
    quota: Quota,
    used: z.object({ vmCount: z.int(), vcpuCount: z.int(), memoryBytes: z.int(), diskBytes: z.int() }),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'Project' });
export type Project = z.infer<typeof Project>;

export const ListProjectsQuery = PageQuery.extend({ name: ResourceName.optional() });
export type ListProjectsQuery = z.infer<typeof ListProjectsQuery>;
