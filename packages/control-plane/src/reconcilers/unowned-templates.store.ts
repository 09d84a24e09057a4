import type { Tx } from '../database/database.js';

export interface UnownedTemplate {
  readonly id: string;
  readonly project_id: string;
  readonly name: string;
  readonly state: 'available' | 'lost';
  readonly operation_id: string;
}

/**
 * `settle` runs in the transaction that ends an operation, so each is a bug to be told of. One of which it is not known whether it was made
 * is lost until its host says that it has it.
 */
export const settleUnownedTemplates = (tx: Tx): Promise<UnownedTemplate[]> =>
  tx.$queryRaw<UnownedTemplate[]>`
    UPDATE vm_templates t
       SET state = CASE WHEN t.state = 'deleting' THEN 'available' ELSE 'lost' END,
           frozen_at = coalesce(t.frozen_at, clock_timestamp()), occupied_bytes = coalesce(t.occupied_bytes, 0),
           failure = jsonb_build_object('code', 'bug', 'message', 'it was left by an operation that has ended',
                                        'details', jsonb_build_object('operationId', o.id)),
           updated_at = clock_timestamp()
      FROM operations o
     WHERE o.id = t.operation_id AND o.state IN ('succeeded', 'failed', 'cancelled') AND t.state IN ('creating', 'deleting')
       AND t.deleted_at IS NULL
    RETURNING t.id, t.project_id, t.name, t.state, t.operation_id`;
