import { z } from 'zod';
import { ProjectId, TokenId } from '../ids.js';
import { ResourceName } from '../names.js';
import { PageQuery } from '../page.schema.js';

/** Each role may do what the one after it may: admin > operator > viewer. */
export const Role = z.enum(['admin', 'operator', 'viewer']).meta({ id: 'Role' });
export type Role = z.infer<typeof Role>;

const RANK: Readonly<Record<Role, number>> = { admin: 3, operator: 2, viewer: 1 };
export const roleCovers = (has: Role, needed: Role): boolean => RANK[has] >= RANK[needed];

export const CreateTokenRequest = z
  .strictObject({
    name: ResourceName,
    role: Role,
    projectId: ProjectId.optional().meta({ description: 'Limits the token to one project; without it: all projects' }),
    validForSeconds: z.int().min(1).max(31_536_000).default(2_592_000),
  })
  .refine((token) => token.role !== 'admin' || token.projectId === undefined, {
    path: ['projectId'],
    error: 'an admin token is for the whole site; leave projectId out or choose another role',
  })
  .meta({ id: 'CreateTokenRequest' });
export type CreateTokenRequest = z.infer<typeof CreateTokenRequest>;

export const Token = z
  .object({
    id: TokenId,
    name: ResourceName,
    role: Role,
    projectId: ProjectId.nullable(),
    expiresAt: z.iso.datetime(),
    revokedAt: z.iso.datetime().nullable(),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'Token' });
export type Token = z.infer<typeof Token>;

export const IssuedToken = Token.extend({
  secret: z.string().meta({ description: 'Shown once; only its hash is kept' }),
}).meta({ id: 'IssuedToken' });
export type IssuedToken = z.infer<typeof IssuedToken>;

export const ListTokensQuery = PageQuery;
