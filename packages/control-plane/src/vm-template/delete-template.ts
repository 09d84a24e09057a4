import {
  type AcceptedOperation,
  DomainError,
  type VmTemplate,
  type VmTemplateId,
  type VmTemplatePlan,
} from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import type { Tx } from '../database/database.js';
import { requireGeneration } from '../require-generation.js';
import { type AskedOfTemplate, askOfTemplate, planOfTemplate } from './ask-of-template.js';
import { type DeleteTemplateInput, deleteTemplateOperation } from './delete-template.operation.js';
import type { FreezeTemplateOptions } from './freeze-template.js';
import { findResting, findTemplate, takeTemplate } from './vm-template.store.js';
import { recordTemplateState, visibleTemplate } from './vm-templates.js';

/** So many are named in a refusal. */
const NAMED_COUNT_MAX = 20;

/** Throws in_use that names the forks, conflict_state, precondition_failed, not_found. */
export const deleteVmTemplate = (
  cp: ControlPlane,
  actor: Actor,
  templateId: VmTemplateId,
  options: FreezeTemplateOptions = {},
): Promise<AcceptedOperation> =>
  askOfTemplate(cp, actor, templateId, options, (tx, operationId) =>
    decide(tx, actor, templateId, operationId, options.ifMatch),
  );

/** What `deleteVmTemplate` would do. Changes nothing. */
export const planVmTemplateDeletion = (
  cp: ControlPlane,
  actor: Actor,
  templateId: VmTemplateId,
  { ifMatch }: Pick<FreezeTemplateOptions, 'ifMatch'> = {},
): Promise<VmTemplatePlan> =>
  planOfTemplate(cp, (tx, operationId) => decide(tx, actor, templateId, operationId, ifMatch));

async function decide(
  tx: Tx,
  actor: Actor,
  templateId: VmTemplateId,
  operationId: string,
  ifMatch: number | undefined,
): Promise<AskedOfTemplate<DeleteTemplateInput>> {
  const template = visibleTemplate(actor, await findTemplate(tx, templateId));
  requireGeneration('template', template, ifMatch);
  const { projectId, hostId, name, state, memoryBytes } = template;
  if (state === 'creating' || state === 'deleting') throw notNow(template);
  if (!(await takeTemplate(tx, template, operationId))) {
    throw new DomainError('conflict_state', 'another request for the template came in between; look at it anew');
  }
  const resting = await findResting(tx, templateId, NAMED_COUNT_MAX + 1);
  if (resting.length > 0) throw inUse(name, resting);
  const input = { templateId, projectId, name, hostId, state };
  await recordTemplateState(tx, input, operationId, 'deleting');
  return { definition: deleteTemplateOperation, input, projectId, hostId, memoryBytes };
}

const notNow = ({ name, state, operationId }: VmTemplate): DomainError =>
  new DomainError('conflict_state', `template ${name} is ${state}: wait for its operation`, {
    details: { state, operationId },
  });

function inUse(name: string, resting: Awaited<ReturnType<typeof findResting>>): DomainError {
  const named = resting.slice(0, NAMED_COUNT_MAX);
  const list = named.map(({ kind, name: other }) => `${kind} ${other}`).join(', ');
  const more = resting.length > named.length ? ' and others' : '';
  return new DomainError('in_use', `on the disk of template ${name} rest ${list}${more}: delete those first`, {
    details: { resting: named },
  });
}
