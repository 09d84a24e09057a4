import { z } from 'zod';
import { isRevoked } from '../host/host.store.js';
import { irreversible } from '../operations/define-operation.js';
import { agentOf, callOptions, defineVmOperation, HOST_CALL_MS, MINUTE_MS } from '../vm/vm-operation.js';
import { markTemplateDeleted, returnTemplate } from './vm-template.store.js';
import { recordTemplateState } from './vm-templates.js';

export const DeleteTemplateInput = z.object({
  templateId: z.uuid(),
  projectId: z.uuid(),
  name: z.string(),
  hostId: z.uuid(),
  /** What it was. */
  state: z.enum(['available', 'lost']),
});
export type DeleteTemplateInput = z.infer<typeof DeleteTemplateInput>;

export const deleteTemplateOperation = defineVmOperation({
  kind: 'vm-template.delete',
  inputShape: DeleteTemplateInput,
  deadlineMs: 15 * MINUTE_MS,
  unwindDeadlineMs: 5 * MINUTE_MS,
})
  .step('remove-template', {
    run: async (context) => {
      const { hostId, templateId } = context.input;
      // Nobody can ask it any more, and what lies on it is not the site's.
      if (await isRevoked(context.services.database, hostId)) return;
      const agent = await agentOf(context.services, hostId);
      await agent.removeTemplate(templateId, callOptions(context, HOST_CALL_MS));
    },
    undo: irreversible('the memory that was frozen is gone'),
  })
  .settle({
    done: async (tx, { operationId, input }) => {
      await markTemplateDeleted(tx, input.templateId);
      await recordTemplateState(tx, input, operationId, 'deleted');
    },
    // Only ever before the first step has begun.
    unwound: async (tx, { operationId, input, error }) => {
      await returnTemplate(tx, input.templateId, input.state, error);
      await recordTemplateState(tx, input, operationId, input.state);
    },
  });
