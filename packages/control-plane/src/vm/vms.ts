import type { ListVmsQuery, Page, Vm, VmId } from '@kvorum/schema';
import type { z } from 'zod';
import type { Actor, ControlPlane } from '../control-plane.js';
import { pageBounds, pageOfRows } from '../page-cursor.js';
import { listedProject, notFound, requireProject } from '../token/project-scope.js';
import { findVm, findVms } from './vm.store.js';

export async function listVms(cp: ControlPlane, actor: Actor, query: z.infer<typeof ListVmsQuery>): Promise<Page<Vm>> {
  const { hostId, vmGroupId, state, name } = query;
  const filter = { projectId: listedProject(actor, query.projectId), hostId, vmGroupId, state, name };
  return pageOfRows(await findVms(cp.database, filter, pageBounds(query)), query);
}

/** Throws not_found, also for a VM that is deleted. */
export async function getVm(cp: ControlPlane, actor: Actor, vmId: VmId): Promise<Vm> {
  const vm = await findVm(cp.database, vmId);
  if (vm === null) throw notFound('the VM');
  requireProject(actor, vm.projectId, 'the VM');
  return vm;
}
