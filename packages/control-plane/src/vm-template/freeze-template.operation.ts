import { DomainError } from '@kvorum/schema';
import { z } from 'zod';
import { irreversible, type StepContext } from '../operations/define-operation.js';
import { settleVm } from '../vm/settle-vm.js';
import {
  agentOf,
  callOptions,
  defineVmOperation,
  type EnsuredVm,
  ensurePower,
  HOST_CALL_MS,
  intentOf,
  MINUTE_MS,
  type VmServices,
  VmTarget,
} from '../vm/vm-operation.js';
import { markTemplateDeleted, settleMadeTemplate } from './vm-template.store.js';
import { recordTemplateState } from './vm-templates.js';

/** The target is the golden VM. */
export const FreezeTemplateInput = VmTarget.extend({
  /** Of the template that is made; `templateId` is the one that the VM itself is a fork of. */
  frozenId: z.uuid(),
  templateName: z.string(),
  keepsRunning: z.boolean(),
});
export type FreezeTemplateInput = z.infer<typeof FreezeTemplateInput>;

/** The VM's memory is written to its host's disk, and read again for its digest: 30 minutes are 100 GiB at 120 MB/s. */
const DEADLINE_MS = 30 * MINUTE_MS;
const UNWIND_DEADLINE_MS = 15 * MINUTE_MS;

type Context = StepContext<FreezeTemplateInput, unknown, VmServices>;

/** One that has ended meanwhile is not started again; its host's report tells of it. */
async function letGoOn(context: Context): Promise<void> {
  await ensurePower(context, context.input, { power: 'running' }).catch((error: unknown) => {
    if (!(error instanceof DomainError && error.code === 'guest_fault')) throw error;
  });
}

const shown = ({ frozenId, templateName, projectId }: FreezeTemplateInput) => ({
  templateId: frozenId,
  name: templateName,
  projectId,
});

export const freezeTemplateOperation = defineVmOperation({
  kind: 'vm.freeze-template',
  inputShape: FreezeTemplateInput,
  deadlineMs: DEADLINE_MS,
  unwindDeadlineMs: UNWIND_DEADLINE_MS,
})
  .step('freeze', {
    run: async (context) => {
      const { hostId, vmId, frozenId, keepsRunning, memoryBytes } = context.input;
      context.reportProgress({ phase: 'writing memory and disk', totalBytes: memoryBytes });
      const agent = await agentOf(context.services, hostId);
      const options = callOptions(context, DEADLINE_MS);
      const intent = intentOf(context, context.input);
      const made = await agent.freezeTemplate(intent, { templateId: frozenId, isLast: !keepsRunning }, options);
      // What it says from now on is newer than what was under way while the VM stood still.
      const vm = await agent.observeVm(vmId);
      return { ...made, reportGeneration: vm?.reportGeneration ?? 0 };
    },
    undo: async (context) => {
      const { hostId, frozenId, keepsRunning } = context.input;
      const agent = await agentOf(context.services, hostId);
      await agent.removeTemplate(frozenId, callOptions(context, HOST_CALL_MS));
      if (!keepsRunning) await letGoOn(context);
    },
  })
  .step('stop-golden', {
    run: async (context): Promise<EnsuredVm | null> =>
      context.input.keepsRunning ? null : ensurePower(context, context.input, { power: 'stopped', graceMs: 0 }),
    undo: irreversible('of a VM that was to stop, the memory is in the template alone'),
  })
  .settle({
    done: async (tx, { operationId, input, outputs }) => {
      const { freeze } = outputs;
      await settleMadeTemplate(tx, input.frozenId, freeze);
      await recordTemplateState(tx, shown(input), operationId, 'available');
      await settleVm(tx, operationId, input, {
        result: input.keepsRunning ? 'done' : 'doneStopped',
        failure: null,
        isOutcomeKnown: true,
        ensured: outputs['stop-golden'] ?? freeze,
      });
    },
    unwound: async (tx, { operationId, input }) => {
      await markTemplateDeleted(tx, input.frozenId);
      await recordTemplateState(tx, shown(input), operationId, 'deleted');
      // It goes on; whether it still does, its host's next report tells.
      await settleVm(tx, operationId, input, { result: 'done', failure: null, isOutcomeKnown: false });
    },
  });
