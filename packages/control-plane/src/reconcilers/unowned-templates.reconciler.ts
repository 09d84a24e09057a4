import type { ControlPlane } from '../control-plane.js';
import { withTransaction } from '../database/database.js';
import { recordTemplateState } from '../vm-template/vm-templates.js';
import { settleUnownedTemplates } from './unowned-templates.store.js';

/**
 * Templates left in a transitional state by an operation that has ended are settled, so that nobody has to edit rows: what is on their host
 * stays there, and its next report tells. Returns how many there were; each is a warning.
 */
export async function reconcileUnownedTemplates(cp: Pick<ControlPlane, 'database' | 'log'>): Promise<number> {
  return withTransaction(cp.database, async (tx) => {
    const templates = await settleUnownedTemplates(tx);
    for (const { id, project_id: projectId, name, state, operation_id: operationId } of templates) {
      await recordTemplateState(tx, { templateId: id, projectId, name }, operationId, state);
      cp.log.error({ templateId: id, operationId }, 'a template was left behind by an operation that has ended');
    }
    return templates.length;
  });
}
