import type { Tx } from '../database/database.js';
import { Prisma } from '../database/generated/client.js';

export interface UnownedVolume {
  readonly id: string;
  readonly project_id: string;
  readonly name: string;
  readonly state: 'available' | 'trashed';
  readonly operation_id: string;
}

const ENDED = Prisma.sql`('succeeded', 'failed', 'cancelled')`;

/** `settle` runs in the transaction that ends an operation, so each is a bug to be told of. */
export const settleUnownedVolumes = (tx: Tx): Promise<UnownedVolume[]> =>
  tx.$queryRaw<UnownedVolume[]>`
    UPDATE volumes v
       SET state = CASE WHEN v.trashed_at IS NULL THEN 'available' ELSE 'trashed' END,
           failure = jsonb_build_object('code', 'bug', 'message', 'it was left by an operation that has ended',
                                        'details', jsonb_build_object('operationId', o.id)),
           updated_at = clock_timestamp()
      FROM operations o
     WHERE o.id = v.operation_id AND o.state IN ${ENDED} AND v.state IN ('creating', 'updating') AND v.deleted_at IS NULL
    RETURNING v.id, v.project_id, v.name, v.state, v.operation_id`;

export const settleUnownedSnapshots = (tx: Tx): Promise<number> =>
  tx.$executeRaw`
    UPDATE volume_snapshots s SET state = 'available'
      FROM operations o
     WHERE o.id = s.operation_id AND o.state IN ${ENDED} AND s.state <> 'available' AND s.deleted_at IS NULL`;
