import type { PlacementQueue, PlacementQueueQuery } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { listedProject } from '../token/project-scope.js';
import { listWaits } from './waiting-vm.store.js';

/** VMs that wait for room, in the order in which they are tried; of a token's project alone, with their place among all. */
export const listWaitingVms = async (
  cp: Pick<ControlPlane, 'database'>,
  actor: Actor,
  query: PlacementQueueQuery,
): Promise<PlacementQueue> => ({ items: await listWaits(cp.database, listedProject(actor, query.projectId)) });
