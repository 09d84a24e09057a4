import type { ListVmTemplatesQuery, Page, VmTemplate, VmTemplateId } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import type { Tx } from '../database/database.js';
import { recordEvent } from '../event/event.store.js';
import { pageBounds, pageOfRows } from '../page-cursor.js';
import { canSeeProject, listedProject, notFound } from '../token/project-scope.js';
import { findTemplate, findTemplates } from './vm-template.store.js';

export async function listVmTemplates(
  cp: ControlPlane,
  actor: Actor,
  query: ListVmTemplatesQuery,
): Promise<Page<VmTemplate>> {
  const { hostId, name, state } = query;
  const filter = { projectId: listedProject(actor, query.projectId), hostId, name, state };
  return pageOfRows(await findTemplates(cp.database, filter, pageBounds(query)), query);
}

/** Throws not_found. */
export async function getVmTemplate(cp: ControlPlane, actor: Actor, templateId: VmTemplateId): Promise<VmTemplate> {
  return visibleTemplate(actor, await findTemplate(cp.database, templateId));
}

/** The template, if the actor may know of it; otherwise there is none. */
export function visibleTemplate(actor: Actor, template: VmTemplate | null, field?: string): VmTemplate {
  if (template === null || !canSeeProject(actor, template.projectId)) throw notFound('the template', field);
  return template;
}

export const recordTemplateState = (
  tx: Tx,
  template: { readonly templateId: string; readonly projectId: string; readonly name: string },
  operationId: string,
  to: VmTemplate['state'] | 'deleted',
): Promise<void> =>
  recordEvent(tx, {
    type: 'vm-template.state',
    projectId: template.projectId,
    resourceKind: 'vm-template',
    resourceId: template.templateId,
    data: { to, name: template.name, operationId },
  });
