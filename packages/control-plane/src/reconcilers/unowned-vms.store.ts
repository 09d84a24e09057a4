import { VM_LIFECYCLE, VM_STATES, type VmState } from '@kvorum/schema';
import type { Tx } from '../database/database.js';

/** States that wait for an operation. */
const UNSETTLED_STATES: readonly VmState[] = VM_STATES.filter((state) => !VM_LIFECYCLE[state].settled);

export interface UnownedVm {
  readonly id: string;
  readonly project_id: string;
  readonly state: VmState;
  readonly operation_id: string | null;
  readonly generation: bigint;
}

/**
 * VMs that wait for an operation which has ended: `settle` runs in the transaction that ends an operation, so each is a bug
 * to be told of. Locked in the order of their ids.
 */
export const lockUnownedVms = (tx: Tx, countMax: number): Promise<UnownedVm[]> =>
  tx.$queryRaw<UnownedVm[]>`
    SELECT v.id, v.project_id, v.state, v.operation_id, v.generation
      FROM vms v LEFT JOIN operations o ON o.id = v.operation_id
     WHERE v.deleted_at IS NULL AND v.state = ANY (${[...UNSETTLED_STATES]}::text[])
       AND (o.id IS NULL OR o.state IN ('succeeded', 'failed', 'cancelled'))
     ORDER BY v.id LIMIT ${countMax}::int FOR NO KEY UPDATE OF v`;

/** `settled_generation` stays: what the operation has done is not known, so any report of the present run counts. */
export async function setVmState(tx: Tx, vm: UnownedVm, state: VmState, failure: object): Promise<void> {
  await tx.$executeRaw`
    UPDATE vms SET state = ${state}, failure = ${JSON.stringify(failure)}::jsonb, updated_at = clock_timestamp()
     WHERE id = ${vm.id}::uuid AND generation = ${vm.generation}::bigint`;
}
