import {
  type CreateFlavorRequest,
  DomainError,
  type Flavor,
  type FlavorId,
  type ListFlavorsQuery,
  newId,
  type Page,
} from '@kvorum/schema';
import type { z } from 'zod';
import type { Actor, ControlPlane } from '../control-plane.js';
import { pageBounds, pageOfRows } from '../page-cursor.js';
import { notFound, requireWholeSite } from '../token/project-scope.js';
import { findFlavor, findFlavors, insertFlavor } from './flavor.store.js';

/** Throws already_exists. */
export async function createFlavor(cp: ControlPlane, actor: Actor, request: CreateFlavorRequest): Promise<Flavor> {
  requireWholeSite(actor);
  const flavor = await insertFlavor(cp.database, newId<FlavorId>(), request, cp.clock());
  if (flavor === null) throw new DomainError('already_exists', `a flavor called ${request.name} is there already`);
  return flavor;
}

/** Flavors are for everybody: a project's token sees all of them. */
export async function listFlavors(
  cp: ControlPlane,
  _actor: Actor,
  query: z.infer<typeof ListFlavorsQuery>,
): Promise<Page<Flavor>> {
  return pageOfRows(await findFlavors(cp.database, { name: query.name }, pageBounds(query)), query);
}

export async function getFlavor(cp: ControlPlane, _actor: Actor, flavorId: FlavorId): Promise<Flavor> {
  const flavor = await findFlavor(cp.database, flavorId);
  if (flavor === null) throw notFound('the flavor');
  return flavor;
}
